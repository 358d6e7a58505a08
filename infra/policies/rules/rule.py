"""What a rule is: an id, a level, one sentence, and a pure function over resources."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

Level = Literal["mandatory", "advisory"]


class _Unknown:
    """A value that only an update will tell; no rule judges one."""

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN: Final = _Unknown()


@dataclass(frozen=True)
class Resource:
    """One resource as the engine shows it to a rule."""

    type: str
    name: str
    props: Mapping[str, Any]
    """Inputs, for a rule over the whole stack outputs too; `UNKNOWN` for what a preview can't
    tell."""
    urn: str = ""
    protected: bool = False
    provider: str = ""
    """Logical name of its provider; empty for a component."""
    provider_props: Mapping[str, Any] = field(default_factory=dict)
    refers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Property to the URNs it is made of; only for rules over the whole stack."""


class Finding(NamedTuple):
    """What breaks a rule, as the parts of one line."""

    value: str
    """The place and what stands there; never the content of a secret."""
    allowed: str
    way_out: str
    resource: Resource | None = None
    """Whose fault it is, when a rule looked at many."""

    def line(self, resource: Resource | None = None) -> str:
        """`storage-models (aws:s3/bucket:Bucket): … is …; allowed: …; …`."""
        of = self.resource or resource
        where = f"{of.name} ({of.type}): " if of else ""
        return f"{where}{self.value}; allowed: {self.allowed}; {self.way_out}"


Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Setting:
    """One key of a rule's configuration."""

    schema: Mapping[str, Any]
    """JSON schema of its value."""
    says: str
    default: Any
    from_stack: Callable[[Mapping[str, Any]], Any] | None = None
    """Reads it out of the stack's own `agentic-platform:platform`; None there means the default."""


@dataclass(frozen=True)
class Rule:
    """One rule; exactly one of `check` and `check_stack` is given."""

    id: str
    level: Level
    says: str
    """What must hold, as one sentence."""
    check: Callable[[Resource, Settings], Iterable[Finding]] | None = None
    check_stack: Callable[[Sequence[Resource], Settings], Iterable[Finding]] | None = None
    of: tuple[str, ...] = ("",)
    """What the types begin with that `check` looks at: others need not be read at all."""
    settings: Mapping[str, Setting] = field(default_factory=dict)

    def concerns(self, type_: str) -> bool:
        """Whether `check` looks at resources of a type."""
        return type_.startswith(self.of)

    def settled(self, stack: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
        """Every setting: as given, else as the stack's file says, else its default."""
        found = {}
        for key, setting in self.settings.items():
            said = setting.from_stack(stack) if setting.from_stack else None
            found[key] = given.get(key, setting.default if said is None else said)
        return found


STRINGS: Mapping[str, Any] = {"type": "array", "items": {"type": "string"}}
NUMBER: Mapping[str, Any] = {"type": "integer", "minimum": 1}
TEXT: Mapping[str, Any] = {"type": "string"}
TRUTH: Mapping[str, Any] = {"type": "boolean"}


def known(value: Any) -> bool:
    return value is not UNKNOWN


def at(value: Any, *path: str) -> Any:
    """The value at a path of keys; None where there is none, UNKNOWN below an unknown one.

    A list of one structure counts as that structure: bridged providers write both.
    """
    for key in path:
        if isinstance(value, list | tuple) and len(value) == 1:
            value = value[0]
        if value is UNKNOWN:
            return UNKNOWN
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def listed(value: Any) -> list[Any]:
    """A list, a single value as a list of one, nothing as an empty one."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]
