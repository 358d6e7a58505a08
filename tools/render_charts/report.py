"""The comparison for a terminal, a job's page and a machine."""

import json
from collections.abc import Sequence
from typing import Any

from tools.render_charts.comparison import ChartDiff, not_rendered

MOST_BYTES = 900_000
"""A job summary may have 1 MiB."""
MEANING = "new content at each render: an endless diff wherever objects are applied as rendered"


def text(stack: str, base: str, diffs: Sequence[ChartDiff]) -> str:
    """The table, then what is random, then every diff."""
    lines = [f"Charts of stack {stack}, compared with {base}", ""]
    rows = [["chart", "version", "added", "changed", "removed", "random"]]
    rows += [_row(it) for it in diffs if not it.same]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    if len(rows) > 1:
        lines += ["  ".join(map(str.ljust, row, widths)) for row in rows]
    lines += [_unchanged(diffs), *not_rendered([*diffs])]
    for it in diffs:
        if it.random:
            lines += ["", f"{it.name}: {MEANING}", *(f"  {path}" for path in it.random)]
    for it in diffs:
        for diff in _diffs(it):
            lines += ["", f"=== {it.name}", *diff]
    return "\n".join(line.rstrip() for line in lines)


def markdown(stack: str, base: str, diffs: Sequence[ChartDiff]) -> str:
    """The same with the diffs folded, cut where a page would refuse it."""
    changed = [it for it in diffs if not it.same]
    parts = [f"## Charts of `{stack}`, compared with `{base}`"]
    if changed:
        table = [
            "| chart | version | added | changed | removed | random |",
            "|---|---|---:|---:|---:|---:|",
        ]
        table += [f"| {' | '.join(_row(it))} |" for it in changed]
        parts.append("\n".join(table))
    parts.append(_unchanged(diffs))
    parts += [f"- ❌ {_escaped(line)}" for line in not_rendered([*diffs])]
    for it in changed:
        if it.random:
            listed = "\n".join(f"- `{path}`" for path in it.random)
            parts.append(f"### {it.name}: {MEANING}\n\n{listed}")
    size = sum(len(part.encode()) for part in parts)
    for it in changed:
        body = "\n\n".join("\n".join(diff) for diff in _diffs(it))
        if not body:
            continue
        # four backticks, as a manifest may hold three
        fenced = f"````diff\n{body.replace('````', '~~~~')}\n````"
        part = f"<details><summary>{it.name}</summary>\n\n{fenced}\n</details>"
        size += len(part.encode())
        if size > MOST_BYTES:
            parts.append(f"The diff of {it.name} and what follows is in the job's log.")
            break
        parts.append(part)
    return "\n\n".join(part for part in parts if part) + "\n"


def json_text(stack: str, base: str, diffs: Sequence[ChartDiff]) -> str:
    """One JSON object."""
    charts = [_record(it) for it in diffs]
    return json.dumps({"stack": stack, "base": base, "charts": charts}, indent=2)


def _record(it: ChartDiff) -> dict[str, Any]:
    status = "unchanged" if it.same else "not rendered" if it.error else "rendered"
    return {
        "name": it.name,
        "chart": it.chart,
        "status": status,
        "before": it.before.version if it.before else None,
        "after": it.after.version if it.after else None,
        "error": it.error,
        "random": it.random,
        "objects": {
            kind: {key: "\n".join(diff) for key, diff in getattr(it, kind).items()}
            for kind in ("added", "changed", "removed")
        },
    }


def _row(it: ChartDiff) -> list[str]:
    if it.error:
        return [it.name, it.versions(), "?", "?", "?", "?"]
    counts = [len(it.added), len(it.changed), len(it.removed), len(it.random)]
    return [it.name, it.versions(), *(str(count) for count in counts)]


def _unchanged(diffs: Sequence[ChartDiff]) -> str:
    same = sum(it.same for it in diffs)
    return f"{same} of {len(diffs)} charts have the same version and values: not rendered"


def _diffs(it: ChartDiff) -> list[list[str]]:
    return [*it.removed.values(), *it.changed.values(), *it.added.values()]


def _escaped(line: str) -> str:
    return line.replace("<", "&lt;").replace("|", "\\|")
