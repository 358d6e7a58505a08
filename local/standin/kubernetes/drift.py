"""Has somebody changed an object by hand? What its recorded inputs would have to say today."""

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from local.standin.kubernetes.objects import VOLATILE
from local.standin.wire import Properties, Secret

if TYPE_CHECKING:
    from local.kube import KubeClient

MISSING = object()


def drifted(
    client: "KubeClient", inputs: Properties, sent: Properties, live: Properties, manager: str
) -> Properties | None:
    """The inputs with each changed field as it is now; None when nothing was changed.

    The question put to the API server is: would applying the recorded inputs (`sent`) again change
    the live object? So defaults and fields of controllers and other writers never count as drift.
    """
    repaired = client.apply(sent, manager, dry_run=True)
    if _comparable(repaired) == _comparable(live):
        return None
    changed: Properties = _as_it_is(inputs, _comparable(repaired), _comparable(live))
    return changed


def _comparable(live: Properties) -> Properties:
    metadata = {k: v for k, v in live.get("metadata", {}).items() if k not in VOLATILE}
    shown = {key: value for key, value in live.items() if key != "status"}
    if live.get("kind") == "Secret":
        shown["stringData"] = {k: _text(v) for k, v in (live.get("data") or {}).items()}
    return shown | {"metadata": metadata}


def _text(encoded: str) -> str:
    return base64.b64decode(encoded).decode(errors="replace")


def _as_it_is(recorded: Any, repaired: Any, live: Any) -> Any:
    """`recorded`, with the live value wherever applying would change something below."""
    if isinstance(recorded, Secret):
        inner = _as_it_is(recorded.value, repaired, live)
        return inner if inner is MISSING else Secret(inner)
    if isinstance(recorded, Mapping):
        return _mapping_as_it_is(recorded, repaired, live)
    if isinstance(recorded, list):
        return _list_as_it_is(recorded, repaired, live)
    if repaired == live:
        return recorded
    return live


def _mapping_as_it_is(recorded: Mapping[str, Any], repaired: Any, live: Any) -> Any:
    if live is MISSING:
        return MISSING
    result = {}
    for key, value in recorded.items():
        want = repaired.get(key, MISSING) if isinstance(repaired, Mapping) else MISSING
        have = live.get(key, MISSING) if isinstance(live, Mapping) else MISSING
        found = value if want is MISSING else _as_it_is(value, want, have)
        if found is not MISSING:
            result[key] = found
    return result


def _list_as_it_is(recorded: list[Any], repaired: Any, live: Any) -> Any:
    if repaired == live:
        return recorded
    if live is MISSING or not isinstance(live, list):
        return live
    # Lists merge by keys that only the schema knows, so one that differs is shown as it is.
    if len(live) != len(recorded) or not isinstance(repaired, list) or len(repaired) != len(live):
        return live
    pairs = zip(recorded, repaired, live, strict=True)
    return [_as_it_is(value, want, have) for value, want, have in pairs]
