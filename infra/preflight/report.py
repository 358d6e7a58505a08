"""Findings for a terminal and for a machine."""

import json
from collections import Counter
from collections.abc import Sequence

from infra.preflight.finding import Finding, Status

SIGNS = {"ok": "ok", "warning": "warn", "failed": "FAIL", "unknown": "?"}


def text(stack: str, findings: Sequence[Finding]) -> str:
    """A line for each finding, the way out below those that need one, a sum at the end."""
    wide = max((len(it.check) for it in findings), default=0)
    lines = []
    for it in findings:
        against = f" | {it.allowed}" if it.allowed else ""
        lines.append(
            f"{SIGNS[it.status]:<4}  {it.check:<{wide}}  {it.subject}: {it.value}{against}"
        )
        if it.way_out:
            lines.append(f"{'':<{wide + 8}}→ {it.way_out}")
    return "\n".join([*lines, "", f"stack {stack}: {summary(findings)}"])


def summary(findings: Sequence[Finding]) -> str:
    """How many of each status."""
    counts = Counter(it.status for it in findings)
    words: dict[Status, str] = {
        "failed": "failed",
        "warning": "warnings",
        "unknown": "not answered",
        "ok": "ok",
    }
    return ", ".join(f"{counts[status]} {word}" for status, word in words.items() if counts[status])


def json_text(stack: str, findings: Sequence[Finding]) -> str:
    """One JSON object."""
    return json.dumps(
        {
            "stack": stack,
            "ok": not any(it.status == "failed" for it in findings),
            "findings": [it.record() for it in findings],
        },
        indent=2,
    )
