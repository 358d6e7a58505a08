"""Traces as two small HTML pages: the list, and one trace as a waterfall.

Names and attributes come from whoever sends spans: everything is escaped, and the policy forbids
scripts and loads from elsewhere.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

SECURITY_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
STYLE = """
body{font:14px/1.5 system-ui,sans-serif;margin:2rem;color:#1c2733;background:#fff}
table{border-collapse:collapse;width:100%}td,th{padding:.3rem .6rem;text-align:left;
border-bottom:1px solid #e3e8ee;vertical-align:top}code{font-size:12px}a{color:#0b5cad}
.bar{position:relative;height:1rem;background:#f2f5f8;min-width:18rem}
.bar i{position:absolute;top:.15rem;height:.7rem;background:#3b82c4;min-width:2px}
.error .bar i{background:#c2383a}.error td:first-child{color:#c2383a}
details pre{white-space:pre-wrap;font-size:12px;margin:.2rem 0}small{color:#66727f}
"""


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style><h1>{escape(title)}</h1>{body}</html>"
    )


def list_page(traces: Sequence[Mapping[str, Any]]) -> str:
    """The newest traces, each with a link to its waterfall."""
    rows = "".join(
        f'<tr{_mark(trace["errors"])}><td><a href="/view/{escape(trace["trace_id"])}">'
        f"<code>{escape(trace['trace_id'])}</code></a></td><td>{escape(trace['name'])}</td>"
        f"<td>{escape(', '.join(trace['services']))}</td><td>{escape(trace['start'])}</td>"
        f"<td>{trace['duration_ms']:.1f} ms</td><td>{trace['spans']}</td></tr>"
        for trace in traces
    )
    head = "<tr><th>trace<th>root span<th>services<th>start<th>duration<th>spans</tr>"
    empty = "" if traces else "<p>No trace yet: ask an agent something.</p>"
    note = '<p><small>The same as JSON: <a href="/traces">/traces</a></small></p>'
    return _page("Traces", f"<table>{head}{rows}</table>{empty}{note}")


def _mark(errors: int) -> str:
    return ' class="error"' if errors else ""


def _flat(nodes: Sequence[Mapping[str, Any]], depth: int = 0) -> Iterator[tuple[int, Any]]:
    for node in nodes:
        yield depth, node
        yield from _flat(node["children"], depth + 1)


def trace_page(trace: Mapping[str, Any]) -> str:
    """One trace: a row per span, indented by depth, its bar on the trace's time axis."""
    total = max(trace["duration_ms"], 0.001)
    rows = "".join(_span_row(node, depth, total) for depth, node in _flat(trace["roots"]))
    facts = (
        f"<p>{escape(trace['start'])} · {trace['duration_ms']:.1f} ms · {trace['spans']} spans · "
        f'{trace["errors"]} errors · <a href="/">all traces</a> · '
        f'<a href="/traces/{escape(trace["trace_id"])}">JSON</a></p>'
    )
    head = "<tr><th>span<th>service<th>time<th>duration</tr>"
    return _page(f"Trace {trace['trace_id']}", f"{facts}<table>{head}{rows}</table>")


def _span_row(node: Mapping[str, Any], depth: int, total_ms: float) -> str:
    left = 100 * node["offset_ms"] / total_ms
    width = 100 * node["duration_ms"] / total_ms
    more = {"attributes": node["attributes"], "events": node["events"]}
    if node["message"]:
        more["message"] = node["message"]
    text = escape(json.dumps(more, indent=1, ensure_ascii=False))
    return (
        f"<tr{_mark(node['status'] == 'error')}>"
        f'<td style="padding-left:{min(depth, 20) + 0.5}rem">{escape(node["name"])}'
        f"<details><summary><small>{escape(node['kind'])}</small></summary><pre>{text}</pre>"
        f"</details></td><td>{escape(node['service'])}</td>"
        f'<td><div class="bar"><i style="left:{left:.2f}%;width:{width:.2f}%"></i></div></td>'
        f"<td>{node['duration_ms']:.1f} ms</td></tr>"
    )
