"""Agents and their tools as documents."""

described = True
"""Whether attributes of the models carry their docstrings as descriptions, for schemas and pages.
To find them takes a twelfth of a server's start, which says no before the models are imported."""
