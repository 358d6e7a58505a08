"""YAML with a memory: plain data plus the place at which each part of it stands."""

from dataclasses import dataclass, field
from typing import Any

import yaml

from agents.errors import DocumentError, Mistake

MAX_CHARACTERS = 1_048_576
MAX_NODES = 50_000
"""Beyond it aliases are multiplying ("a billion laughs"), since no honest text needs as many."""

Path = tuple[str | int, ...]
Place = tuple[int, int]
"""Line and column, both from 1."""

_PLAIN = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


@dataclass
class Parsed:
    """One document of a stream: its data, and the place of each path in it."""

    data: Any
    source: str
    places: dict[Path, Place] = field(default_factory=dict)

    def place(self, path: Path) -> Place | None:
        """Where `path` stands, or the nearest part around it that stands in the text."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path)

    def mistake(self, path: Path, written: str, problem: str) -> Mistake:
        """A mistake at `path`."""
        line, column = self.place(path) or (None, None)
        return Mistake(self.source, line, written, problem, column)


def parse(text: str, source: str) -> list[Parsed]:
    """The documents of a YAML stream, empty ones left out; DocumentError if it is no YAML."""
    if len(text) > MAX_CHARACTERS:
        raise _refused(source, None, f"{len(text)} characters; at most {MAX_CHARACTERS} are read")
    try:
        nodes = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
        parsed = [_Reader(source).read(node) for node in nodes if node is not None]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _refused(
            source, _at(mark) if mark else None, f"is not YAML: {error.problem or error.context}"
        ) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise _refused(source, None, f"is not YAML: {str(error).splitlines()[0]}") from None
    return [document for document in parsed if document.data is not None]


def _refused(source: str, place: Place | None, problem: str) -> DocumentError:
    line, column = place or (None, None)
    return DocumentError([Mistake(source, line, "", problem, column)])


def _at(mark: yaml.Mark) -> Place:
    return mark.line + 1, mark.column + 1


class _Reader:
    """Turns one node tree into data; refuses keys that stand twice."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._places: dict[Path, Place] = {}
        self._count = 0
        self._scalars = yaml.SafeLoader("")

    def read(self, node: yaml.Node) -> Parsed:
        return Parsed(self._value(node, ()), self._source, self._places)

    def _value(self, node: yaml.Node, path: Path) -> Any:
        self._count += 1
        place = _at(node.start_mark)
        if self._count > MAX_NODES:
            raise _refused(self._source, place, f"holds more than {MAX_NODES} values")
        self._places.setdefault(path, place)
        if isinstance(node, yaml.CollectionNode) and node.tag not in _PLAIN:
            raise _refused(self._source, place, f"the tag {node.tag!r} is not allowed")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*path, i)) for i, item in enumerate(node.value)]
        try:
            return self._scalars.construct_object(node, deep=True)
        except ValueError as error:
            raise _refused(self._source, place, f"unreadable value: {error}") from None

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            place = _at(key_node.start_mark)
            if key in data:
                raise _refused(self._source, place, f"key {key!r} stands twice")
            self._places[(*path, key)] = place
            data[key] = self._value(value_node, (*path, key))
        return data
