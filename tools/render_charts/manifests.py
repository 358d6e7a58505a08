"""Rendered manifests as objects: what is secret in them, and what differs from render to render."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

RANDOM = "(differs at each render)"
Path = tuple[str, ...]


class _Dumper(yaml.CSafeDumper):
    """Long texts as blocks, so that a line of a script is a line of the diff."""


def _text(dumper: yaml.CSafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


@dataclass
class Masks:
    """Secret values by numbers that are the same on both sides, so that a change shows."""

    numbers: dict[str, int] = field(default_factory=dict)

    def mask(self, value: Any) -> str:
        number = self.numbers.setdefault(repr(value), len(self.numbers) + 1)
        return f"(hidden, value {number})"

    def masked(self, item: Any) -> Any:
        """Without the content of a Secret; of any other object a copy."""
        if not isinstance(item, dict) or item.get("kind") != "Secret":
            return item
        hidden = {
            key: {name: self.mask(value) for name, value in (item.get(key) or {}).items()}
            for key in ("data", "stringData")
            if key in item
        }
        return item | hidden


def objects(text: str) -> dict[str, dict[str, Any]]:
    """By `apiVersion Kind namespace/name`; two of one name get a number."""
    found: dict[str, dict[str, Any]] = {}
    for document in yaml.load_all(text, Loader=yaml.CSafeLoader):
        for item in _items(document):
            metadata = item.get("metadata") or {}
            where = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
            name = metadata.get("name") or metadata.get("generateName", "")
            key = f"{item.get('apiVersion', '')} {item.get('kind', '')} {where}{name}"
            number = 2
            while key in found:
                key, number = f"{key.partition(' #')[0]} #{number}", number + 1
            found[key] = item
    return found


def _items(document: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(document, dict):
        return
    if document.get("kind") == "List" and isinstance(document.get("items"), list):
        for item in document["items"]:
            yield from _items(item)
    else:
        yield document


def differing(first: Any, second: Any, at: Path = ()) -> Iterator[Path]:
    """Paths at which two renders of the same differ."""
    if isinstance(first, dict) and isinstance(second, dict):
        for key in sorted({*first, *second}, key=str):
            if key in first and key in second:
                yield from differing(first[key], second[key], (*at, str(key)))
            else:
                yield (*at, str(key))
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        for index, (one, other) in enumerate(zip(first, second, strict=True)):
            yield from differing(one, other, (*at, str(index)))
    elif first != second:
        yield at


def without(item: Any, paths: set[Path], at: Path = ()) -> Any:
    """A copy in which what stands at `paths` says that it is random."""
    if at in paths:
        return RANDOM
    if isinstance(item, dict):
        found = {key: without(value, paths, (*at, str(key))) for key, value in item.items()}
        return found | {path[-1]: RANDOM for path in paths if path[:-1] == at and path}
    if isinstance(item, list):
        return [without(each, paths, (*at, str(n))) for n, each in enumerate(item)]
    return item


def as_text(item: Mapping[str, Any]) -> list[str]:
    """Lines of YAML with sorted keys."""
    return yaml.dump(dict(item), Dumper=_Dumper, sort_keys=True, width=120).splitlines()
