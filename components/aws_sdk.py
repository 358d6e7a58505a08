"""The AWS SDK, of which a program imports the resources that it makes and no others.

With the first resource of a service the SDK imports all of them: 180 modules for EC2, 3 s of CPU
for the services of this platform, in every preview. Each service here imports the one module that
a name lies in; a name that lies elsewhere has the whole service imported, as without this module.
"""

import importlib
import re
import sys
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

import pulumi_aws as aws

WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
"""Where one word of a class name ends: `VpcEndpoint` lies in the module `vpc_endpoint`."""


class _Service(ModuleType):
    """A package of the SDK that has not run; its modules are imported when a name needs them."""

    def __init__(self, spec: ModuleSpec) -> None:
        super().__init__(spec.name)
        self.__spec__ = spec
        self.__package__ = spec.name
        self.__path__ = list(spec.submodule_search_locations or [])

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        for module in (name, WORD.sub("_", name).lower(), name.removesuffix("_output")):
            full = f"{self.__name__}.{module}"
            if PathFinder.find_spec(full, self.__path__) is None:
                continue
            found = importlib.import_module(full)
            return found if module == name and not hasattr(found, name) else getattr(found, name)
        return self._whole(name)

    def _whole(self, name: str) -> Any:
        """The name out of the package as it is published; AttributeError when it has none."""
        spec = self.__spec__
        if spec is None or spec.loader is None or "__all__" in self.__dict__:
            raise AttributeError(f"{self.__name__} has no {name}")
        self.__dict__["__all__"] = []
        spec.loader.exec_module(self)
        return getattr(self, name)


def service(name: str) -> Any:
    """A service's package, such as `ec2`; the published one where something has run it already."""
    full = f"{aws.__name__}.{name}"
    there = sys.modules.get(full)
    if isinstance(there, _Service) or (there is not None and type(there) is ModuleType):
        return there
    spec = PathFinder.find_spec(full, aws.__path__)
    if spec is None:
        raise ImportError(f"the AWS SDK has no service {name!r}")
    made = sys.modules[full] = _Service(spec)
    setattr(aws, name, made)
    return made


backup = service("backup")
cloudwatch = service("cloudwatch")
ec2 = service("ec2")
ecr = service("ecr")
eks = service("eks")
elasticache = service("elasticache")
iam = service("iam")
kms = service("kms")
s3 = service("s3")
sqs = service("sqs")

__all__ = [
    "aws",
    "backup",
    "cloudwatch",
    "ec2",
    "ecr",
    "eks",
    "elasticache",
    "iam",
    "kms",
    "s3",
    "sqs",
]
