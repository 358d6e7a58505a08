"""The trace that a run belongs to, known before anybody works on it."""

import re
import secrets
from collections.abc import Mapping

_PARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}.*")
_KEPT = ("tracestate", "baggage")
_MAX_HEADER = 2048


def trace_of(headers: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The trace's id, and the headers by which a worker continues it."""
    given = headers.get("traceparent", "")
    found = _PARENT.fullmatch(given)
    if found is None or int(found[1], 16) == 0 or int(found[2], 16) == 0:
        trace = secrets.token_hex(16)
        return trace, {"traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"}
    kept = {name: value for name in _KEPT if (value := headers.get(name))}
    short = {name: value for name, value in kept.items() if len(value) <= _MAX_HEADER}
    return found[1], {"traceparent": given[:_MAX_HEADER], **short}
