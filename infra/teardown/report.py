"""An inventory as a table for people and as JSON for programs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from inference.instances import HOURS_A_MONTH
from infra.teardown.leftover import Leftover
from infra.teardown.scope import Scope

COLUMNS = ("fate", "kind", "id", "name", "$/month", "why")


def left(found: Sequence[Leftover]) -> list[Leftover]:
    """What makes an inventory fail: all but what stays on purpose."""
    return [it for it in found if it.fate != "kept"]


def monthly_usd(found: Sequence[Leftover]) -> float:
    """Of those whose price is known."""
    return HOURS_A_MONTH * sum(it.usd_per_hour or 0 for it in found)


def json_text(
    scope: Scope, found: Sequence[Leftover], *, cluster_there: bool, failed: Mapping[str, str]
) -> str:
    """One object: whose leftovers, and each with its fate."""
    return json.dumps(
        {
            "stack": scope.stack,
            "cluster": scope.cluster,
            "region": scope.region,
            "clusterExists": cluster_there,
            "clean": not left(found),
            "knownMonthlyUsd": round(monthly_usd(found), 2),
            "leftovers": [asdict(it) for it in found],
            "failed": dict(failed),
        },
        indent=2,
    )


def text(scope: Scope, found: Sequence[Leftover]) -> str:
    """A table and a last line that says what it means."""
    if not found:
        return f"nothing is left of cluster '{scope.cluster}' in {scope.region}"
    rows = [COLUMNS, *(_row(it) for it in found)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(COLUMNS))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in rows]
    some = left(found)
    cost = f", at least ${monthly_usd(some):,.0f} a month" if monthly_usd(some) else ""
    kept = len(found) - len(some)
    last = f"{len(some)} left{cost}; {kept} kept on purpose"
    return "\n".join([*(line.rstrip() for line in lines), "", last])


def _row(each: Leftover) -> tuple[str, ...]:
    cost = "" if each.usd_per_hour is None else f"{HOURS_A_MONTH * each.usd_per_hour:,.0f}"
    return (each.fate, each.kind, each.id, each.name or "-", cost or "?", each.why)
