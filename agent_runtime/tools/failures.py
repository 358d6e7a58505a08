"""What can go wrong with tools before they are called."""


class ToolImportError(Exception):
    """The functions of a tool can't be had from where they are described; says why."""
