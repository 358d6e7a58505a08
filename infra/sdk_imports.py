"""Imports of the AWS SDK, of which the program needs a few resources and no whole services.

With the first resource of a service the SDK imports all of them: 180 modules for EC2 alone, three
quarters of a second of CPU for this platform's services, in every preview. A service that is made
`on_demand` imports the module that a name lies in. What lies elsewhere has the whole service
imported, as it is published. Components import the SDK as everybody does and know nothing of this.
"""

import importlib
import re
import sys
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

import pulumi_aws

LARGE = ("backup", "cloudwatch", "ec2", "ecr", "eks", "iam", "s3")
"""The services that this program uses and whose import is felt."""
WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
"""Where one word of a class name ends: `VpcEndpoint` lies in the module `vpc_endpoint`."""


class _Service(ModuleType):
    """A package of the SDK that has not run."""

    def __init__(self, spec: ModuleSpec) -> None:
        super().__init__(spec.name)
        self.__spec__ = spec
        self.__package__ = spec.name
        self.__path__ = list(spec.submodule_search_locations or [])

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        for module in (name, WORD.sub("_", name).lower()):
            full = f"{self.__name__}.{module}"
            if PathFinder.find_spec(full, self.__path__) is None:
                continue
            found = importlib.import_module(full)
            if module == name or hasattr(found, name):
                # The import bound the module to its name, which may be its function's name too.
                self.__dict__[name] = getattr(found, name, found)
                return self.__dict__[name]
        return self._whole(name)

    def _whole(self, name: str) -> Any:
        spec = self.__spec__
        if spec is None or spec.loader is None or "__all__" in self.__dict__:
            raise AttributeError(f"{self.__name__} has no {name}")
        self.__dict__["__all__"] = []
        spec.loader.exec_module(self)
        return getattr(self, name)


def on_demand(*services: str) -> None:
    """Before anything of these services is imported; ImportError for one that the SDK has not."""
    for service in services:
        full = f"{pulumi_aws.__name__}.{service}"
        spec = PathFinder.find_spec(full, pulumi_aws.__path__)
        if spec is None:
            raise ImportError(f"the AWS SDK has no service {service!r}")
        sys.modules[full] = made = _Service(spec)
        setattr(pulumi_aws, service, made)
