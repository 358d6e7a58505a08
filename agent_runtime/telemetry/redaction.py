"""Keeps secrets out of logs and traces, and people's data out of traces."""

import re

_MARK = "[redacted]"
_PATTERNS = (
    re.compile(r"(?i)(?<=bearer )\s*[A-Za-z0-9._~+/=-]{8,}"),
    re.compile(r"(?i)(?<=basic )\s*[A-Za-z0-9+/]{12,}={0,2}"),
    re.compile(r"\b(?:sk|pk|rk)-[A-Za-z0-9_-]{8,}"),
    re.compile(r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"),
    re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    re.compile(r"\b(?:ghp|gho|ghs|github_pat|glpat|xox[abprs])[_-][A-Za-z0-9_-]{10,}"),
    re.compile(
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S
    ),
    re.compile(
        r"(?i)(?<=password=|password:|passwort=)\s*[^\s&\"',;]+"
        r"|(?<=api_key=|api-key=|api_key:|api-key:)\s*[^\s&\"',;]+"
    ),
    re.compile(
        r"(?i)(?:secret|token|password|api_?key)\w*[\"']?\s*[:=]\s*[\"'][^\"'\s]{8,}(?=[\"'])"
    ),
    re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"),
)
_PEOPLE = (
    (re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+"), "[email]"),
    (re.compile(r"(?<![\w.])\+?\d(?:[ -]?\d){8,18}(?![\w.]*\d)"), "[number]"),
)
"""Mail addresses; and runs of nine digits and more: cards, accounts, telephones."""


def redacted(text: str) -> str:
    """`text` with everything that looks like a credential replaced."""
    for pattern in _PATTERNS:
        text = pattern.sub(_MARK, text)
    return text


def private(text: str) -> str:
    """The same, and with what may name a person replaced as well."""
    text = redacted(text)
    for pattern, mark in _PEOPLE:
        text = pattern.sub(mark, text)
    return text
