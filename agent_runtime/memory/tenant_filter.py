"""The filter of every call to the vector store: always one tenant, never text from a model.

Milvus has filter templates (`tenant_id == {t}`), but Milvus Lite knows none, so values are checked
here instead: whatever could end a string literal is refused.
"""

import json
import re
from collections.abc import Sequence

from agent_runtime.memory.ports import Metadata

TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_KEY = re.compile(r"[a-z_]{1,32}")
_VALUE = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_ID = re.compile(r"[0-9a-f]{64}")


def tenant_filter(
    tenant: str, only: Metadata | None = None, ids: Sequence[str] | None = None
) -> str:
    """`tenant_id == "…"` and what narrows it further. ValueError on what can't be a value."""
    if not TENANT.fullmatch(tenant):
        raise ValueError("a call needs a tenant of letters, digits and . _ -")
    parts = [f'tenant_id == "{tenant}"']
    for key, value in (only or {}).items():
        if not _KEY.fullmatch(key) or not (isinstance(value, int) or _VALUE.fullmatch(value)):
            raise ValueError(f"{key!r} can't be filtered by {value!r}")
        parts.append(f'metadata["{key}"] == {json.dumps(value)}')
    if ids is not None:
        if wrong := [each for each in ids if not _ID.fullmatch(each)]:
            raise ValueError(f"{wrong[0]!r} is no id")
        parts.append(f"id in {json.dumps(list(ids))}")
    return " and ".join(parts)
