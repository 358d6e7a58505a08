"""What a start loads of other people's code: only what this process makes use of."""

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

from pydantic import BaseModel, ConfigDict

PACKAGES = frozenset({"langgraph_sdk", "langgraph_sdk.auth", "langsmith.types"})
"""LangGraph imports a name or two from modules below them; the packages themselves load all they
have: clients of a server that is not there, and 200 models of its API."""


class PackagesOnDemand(MetaPathFinder):
    """The packages named run their own code only once somebody asks one of them for a name.

    Modules below them are imported as always.
    """

    def __init__(self, packages: frozenset[str]) -> None:
        self._packages = packages

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self._packages:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Waiting(spec.loader)
        return spec


class _Waiting(Loader):
    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        names, lock, waits = vars(module), threading.RLock(), True

        def loaded(name: str) -> Any:
            nonlocal waits
            if name.startswith("__"):
                raise AttributeError(name)
            with lock:
                if waits:
                    waits = False
                    self._loader.exec_module(module)
                    if names["__getattr__"] is loaded:
                        del names["__getattr__"]
            if name in names or names.get("__getattr__", loaded) is not loaded:
                return getattr(module, name)
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")

        names["__getattr__"] = loaded


@contextmanager
def on_demand() -> Iterator[None]:
    """What is imported within waits until it is used: PACKAGES, and the validators of models.

    `defer_build` is a setting that pydantic's models inherit, here from the one above them all.
    """
    own, finder = BaseModel.model_config, PackagesOnDemand(PACKAGES)
    sys.meta_path.insert(0, finder)
    BaseModel.model_config = ConfigDict(**{**own, "defer_build": True})
    try:
        yield
    finally:
        BaseModel.model_config = own
        sys.meta_path.remove(finder)
