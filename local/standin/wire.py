"""Property values on the wire: Structs with the engine's marks for secrets and unknowns."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.standin.protocol import struct_pb2

# Signatures from the SDK's own pulumi/runtime/rpc.py.
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a type mark, not a credential
RESOURCE = "5cf8f73096256a8f31e491e813e4eb8e"
OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

Properties = dict[str, Any]


@dataclass(frozen=True)
class Secret:
    """A value that the engine must encrypt in state and hide in output."""

    value: Any

    def __repr__(self) -> str:
        return "Secret([hidden])"


def decode(struct: Any) -> Properties:
    """A message's fields as Python values; secrets become `Secret`, unknowns stay `UNKNOWN`."""
    return {key: _decode_value(value) for key, value in struct.fields.items()}


def _decode_value(value: Any) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return _decode_mapping(value.struct_value)
    if kind == "list_value":
        return [_decode_value(item) for item in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind in (None, "null_value"):
        return None
    return getattr(value, kind)


def _decode_mapping(struct: Any) -> Any:
    mapping = decode(struct)
    mark = mapping.get(SIGNATURE)
    if mark == SECRET:
        return Secret(mapping.get("value"))
    if mark == OUTPUT:
        value = mapping.get("value", UNKNOWN)
        return Secret(value) if mapping.get("secret") else value
    if mark == RESOURCE:
        return mapping.get("id", mapping.get("urn"))
    return mapping


def encode(properties: Mapping[str, Any]) -> Any:
    """The opposite of `decode`."""
    struct = struct_pb2.Struct()
    for key, value in properties.items():
        _encode_value(struct.fields[key], value)
    return struct


def _encode_value(target: Any, value: Any) -> None:
    if value is None:
        target.null_value = 0
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, int | float):
        target.number_value = value
    elif isinstance(value, str):
        target.string_value = value
    elif isinstance(value, Secret):
        target.struct_value.CopyFrom(encode({SIGNATURE: SECRET, "value": value.value}))
    elif isinstance(value, Mapping):
        target.struct_value.CopyFrom(encode(value))
    else:
        target.list_value.SetInParent()
        for item in value:
            _encode_value(target.list_value.values.add(), item)


def plain(value: Any) -> Any:
    """`value` with its secrets opened: for the API server, never for a message or a log."""
    if isinstance(value, Secret):
        return plain(value.value)
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def has_unknown(value: Any) -> bool:
    """Whether any leaf is only known after the update."""
    if isinstance(value, Secret):
        return has_unknown(value.value)
    if isinstance(value, Mapping):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(has_unknown(item) for item in value)
    return bool(value == UNKNOWN)


def secret_texts(value: Any, *, inside: bool = False) -> set[str]:
    """Every text below a secret mark, also in base64, so that copies of it can be found."""
    if isinstance(value, Secret):
        return secret_texts(value.value, inside=True)
    if isinstance(value, Mapping):
        return set().union(*(secret_texts(item, inside=inside) for item in value.values()))
    if isinstance(value, list):
        return set().union(*(secret_texts(item, inside=inside) for item in value))
    if inside and isinstance(value, str) and value and value != UNKNOWN:
        return {value, base64.b64encode(value.encode()).decode()}
    return set()


def hide(value: Any, like: Any, texts: set[str]) -> Any:
    """`value` with a secret mark where `like` has one and where a secret's text turns up again."""
    if isinstance(like, Secret):
        return value if isinstance(value, Secret) else Secret(value)
    if isinstance(value, Mapping):
        other = like if isinstance(like, Mapping) else {}
        return {key: hide(item, other.get(key), texts) for key, item in value.items()}
    if isinstance(value, list):
        others = like if isinstance(like, list) else []
        padded = [*others, *([None] * len(value))]
        return [hide(item, padded[place], texts) for place, item in enumerate(value)]
    if isinstance(value, str) and value in texts:
        return Secret(value)
    return value


def merged(below: Any, above: Any) -> Any:
    """`above` laid over `below`: mappings key by key, anything else as a whole."""
    if isinstance(below, Mapping) and isinstance(above, Mapping):
        keys = [*below, *(key for key in above if key not in below)]
        return {
            key: merged(below[key], above[key])
            if key in below and key in above
            else above.get(key, below.get(key))
            for key in keys
        }
    return above
