"""Keeps secrets out of logs and traces."""

import re

_MARK = "[redacted]"
_PATTERNS = (
    re.compile(r"(?i)(?<=bearer )\s*[A-Za-z0-9._~+/=-]{8,}"),
    re.compile(r"\bsk-[A-Za-z0-9_-]{8,}"),
    re.compile(r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"),
    re.compile(r"\bAKIA[0-9A-Z]{16}\b"),
    re.compile(r"(?i)(?<=password=)[^\s&\"']+"),
    re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"),
)


def redacted(text: str) -> str:
    """`text` with everything that looks like a credential replaced."""
    for pattern in _PATTERNS:
        text = pattern.sub(_MARK, text)
    return text
