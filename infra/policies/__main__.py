"""Started by the language host in the pack's own folder and environment."""

from rules.pack import serve  # type: ignore[import-not-found]  # its folder is the first on the path

serve()
