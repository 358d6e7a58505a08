"""Ids, ARNs and other computed outputs, made from a URN: the same one always gets the same."""

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from local.standin.wire import Properties, plain

DEFAULT_ACCOUNT = "123456789012"
DEFAULT_REGION = "us-east-1"
ARN = re.compile(r"^arn:(aws[\w-]*):[\w-]*:([a-z]{2}(?:-[a-z]+)+-\d):(\d{12}):")
FIELD = re.compile(r"\{([\w.]+)\}")
AUTONAME_DIGITS = 7


@cache
def tables() -> dict[str, Any]:
    """The data of invented.yaml."""
    file = Path(__file__).with_name("invented.yaml")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loaded: dict[str, Any] = yaml.load(file.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - a safe loader, the fast one where there is one
    return loaded


@dataclass(frozen=True)
class Account:
    """Where everything is said to lie."""

    region: str = DEFAULT_REGION
    number: str = DEFAULT_ACCOUNT

    @property
    def partition(self) -> str:
        if self.region.startswith("cn-"):
            return "aws-cn"
        return "aws-us-gov" if self.region.startswith("us-gov-") else "aws"

    @property
    def suffix(self) -> str:
        return "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com"

    @classmethod
    def of_provider(cls, config: Mapping[str, Any]) -> "Account":
        """From a provider's configuration, in which lists arrive as JSON text."""
        allowed = config.get("allowedAccountIds")
        if isinstance(allowed, str):
            try:
                allowed = json.loads(allowed)
            except ValueError:
                allowed = None
        number = str(allowed[0]) if isinstance(allowed, list) and allowed else DEFAULT_ACCOUNT
        return cls(str(config.get("region") or DEFAULT_REGION), number)

    def seen_in(self, inputs: Any) -> "Account":
        """The account and region of the first ARN in `inputs`, for packages without a region."""
        found = _first_arn(plain(inputs))
        return Account(found[1], found[2]) if found else self


def _first_arn(value: Any) -> tuple[str, str, str] | None:
    if isinstance(value, str):
        match = ARN.match(value)
        return (match[1], match[2], match[3]) if match else None
    children = value.values() if isinstance(value, dict) else value
    if isinstance(value, dict | list):
        for child in children:
            if found := _first_arn(child):
                return found
    return None


def type_of(urn: str) -> str:
    """`aws:ec2/vpc:Vpc` out of a URN."""
    return urn.split("::")[2].rsplit("$", 1)[-1]


def autoname(urn: str, seed: bytes) -> str:
    """A physical name as Pulumi makes it: the resource's name and a few digits."""
    digest = hashlib.sha256(seed or urn.encode()).hexdigest()
    return f"{urn.rsplit('::', 1)[-1]}-{digest[:AUTONAME_DIGITS]}"


class Inventor:
    """Fills the templates for one resource."""

    def __init__(self, urn: str, inputs: Properties, account: Account) -> None:
        self.type = type_of(urn)
        self._inputs: Properties = plain(inputs)
        digest = hashlib.sha256(urn.encode()).hexdigest()
        self._values = {
            "urn_name": urn.rsplit("::", 1)[-1],
            "hex8": digest[:8],
            "hex17": digest[:17],
            "hex32": digest[:32].upper()
            if self.type.startswith(("aws:eks", "eks:"))
            else digest[:32],
            "octet": str(int(digest[:4], 16) % 254 + 1),
            "uuid": str(uuid.UUID(digest[:32])),
            "region": account.region,
            "account": account.number,
            "partition": account.partition,
            "suffix": account.suffix,
        }
        self._values["name"] = self._name()
        self._values["id"] = self.identity()

    def _name(self) -> str:
        key = tables()["autonamed"].get(self.type, "name")
        found = self._inputs.get(key)
        fallback = f"{self._values['urn_name']}-{self._values['hex8']}"
        return found if isinstance(found, str) and found else fallback

    def identity(self) -> str:
        """The resource's id."""
        template = tables()["ids"].get(self.type, "{name}")
        return str(self.fill(template))

    def outputs(self) -> Properties:
        """The computed outputs; an `arn` of the usual form where the table says nothing."""
        listed = tables()["outputs"].get(self.type)
        if listed is not None:
            filled: Properties = self.fill(listed)
            return filled
        package, module, kind = self.type.split(":")
        if package != "aws":
            return {}
        service = module.split("/")[0]
        return {
            "arn": self.fill(
                f"arn:{{partition}}:{service}:{{region}}:{{account}}:{kind.lower()}/{{id}}"
            )
        }

    def component(self) -> Properties:
        """The outputs of a remote component."""
        filled: Properties = self.fill(tables()["components"][self.type])
        return filled

    def fill(self, template: Any) -> Any:
        """`template` with its fields replaced, however deep they lie."""
        if isinstance(template, str):
            return FIELD.sub(lambda found: self._values[found[1]], template)
        if isinstance(template, dict):
            return {key: self.fill(value) for key, value in template.items()}
        if isinstance(template, list):
            return [self.fill(value) for value in template]
        return template
