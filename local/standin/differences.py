"""The differences between two sets of inputs, and the engine's message for them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pulumi.runtime.proto import provider_pb2

from local.standin.wire import Properties, plain

Path = tuple[str | int, ...]
Change = Literal["add", "delete", "update"]
PropertyDiff = provider_pb2.PropertyDiff
KINDS = {
    "add": (PropertyDiff.ADD, PropertyDiff.ADD_REPLACE),
    "delete": (PropertyDiff.DELETE, PropertyDiff.DELETE_REPLACE),
    "update": (PropertyDiff.UPDATE, PropertyDiff.UPDATE_REPLACE),
}


@dataclass(frozen=True)
class Difference:
    """One leaf, or one whole branch that is there on one side alone."""

    path: Path
    change: Change

    @property
    def text(self) -> str:
        """The path as the engine writes it: `spec.ports[0].port`, `labels["a.b/c"]`."""
        parts = []
        for key in self.path:
            if isinstance(key, int):
                parts.append(f"[{key}]")
            elif key.isidentifier():
                parts.append(f".{key}" if parts else key)
            else:
                escaped = key.replace("\\", "\\\\").replace('"', '\\"')
                parts.append(f'["{escaped}"]')
        return "".join(parts)

    def concerns(self, rule: Path) -> bool:
        """Whether it lies inside the rule's branch, or is a branch that holds it."""
        shorter = min(len(rule), len(self.path))
        return rule[:shorter] == self.path[:shorter]


def differences(olds: Properties, news: Properties) -> list[Difference]:
    """All of them, in the order of the keys; secrets are opened for the comparison."""
    return list(_leaves(plain(olds), plain(news), ()))


def _leaves(old: Any, new: Any, path: Path) -> Iterator[Difference]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            if key not in new:
                yield Difference((*path, key), "delete")
            elif key not in old:
                yield Difference((*path, key), "add")
            else:
                yield from _leaves(old[key], new[key], (*path, key))
    elif isinstance(old, list) and isinstance(new, list):
        for place in range(max(len(old), len(new))):
            if place >= len(new):
                yield Difference((*path, place), "delete")
            elif place >= len(old):
                yield Difference((*path, place), "add")
            else:
                yield from _leaves(old[place], new[place], (*path, place))
    elif old != new:
        yield Difference(path, "update")


def diff_response(
    found: Sequence[Difference], replacing: Sequence[Path], *, delete_first: bool = False
) -> Any:
    """A DiffResponse; what lies on a `replacing` path needs a new resource."""
    detailed, replaces = {}, []
    for difference in found:
        replace = any(difference.concerns(rule) for rule in replacing)
        kind = KINDS[difference.change][replace]
        detailed[difference.text] = PropertyDiff(kind=kind, inputDiff=True)
        if replace:
            replaces.append(difference.text)
    response = provider_pb2.DiffResponse
    return response(
        changes=response.DIFF_SOME if found else response.DIFF_NONE,
        diffs=sorted({str(difference.path[0]) for difference in found}),
        replaces=replaces,
        detailedDiff=detailed,
        hasDetailedDiff=True,
        deleteBeforeReplace=bool(replaces) and delete_first,
    )
