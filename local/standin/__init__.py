"""Stand-ins for Pulumi plugins that no package registry carries.

They speak the plugin protocol to the real engine, serve `file://` backends alone and say what they
are. docs/stand-ins.md holds their promises; tests/engine compares each one.
"""
