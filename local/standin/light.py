"""Importing the plugin protocol's generated messages without the rest of the Pulumi SDK."""

import sys
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType


def messages_alone() -> None:
    """Let `pulumi.runtime.proto.*` be imported in this process without running `import pulumi`.

    The SDK takes about a second to import; a plugin needs generated modules alone, which lie in a
    package below it. Empty parent packages that know the folders let Python find them.
    For plugin processes only: nothing else of the SDK works afterwards.
    """
    found = PathFinder.find_spec("pulumi")
    if found is None or not found.submodule_search_locations:
        raise ImportError("the Pulumi SDK is not installed in this environment: run `uv sync`")
    root = Path(next(iter(found.submodule_search_locations)))
    runtime = root / "runtime"
    folders = {"pulumi": root, "pulumi.runtime": runtime, "pulumi.runtime.proto": runtime / "proto"}
    for name, folder in folders.items():
        parent = ModuleType(name)
        parent.__path__ = [str(folder)]
        sys.modules[name] = parent
