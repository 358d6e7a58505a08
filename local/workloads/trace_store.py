"""Spans in SQLite, the newest traces only, and their reading as trees."""

import json
import sqlite3
import threading
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.workloads.otlp import Span

SCHEMA = """
CREATE TABLE IF NOT EXISTS spans (
  trace_id TEXT NOT NULL, span_id TEXT NOT NULL, parent_id TEXT NOT NULL, name TEXT NOT NULL,
  service TEXT NOT NULL, kind TEXT NOT NULL, start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL,
  status TEXT NOT NULL, message TEXT NOT NULL, attributes TEXT NOT NULL, events TEXT NOT NULL,
  PRIMARY KEY (trace_id, span_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS traces (
  number INTEGER PRIMARY KEY AUTOINCREMENT, trace_id TEXT NOT NULL UNIQUE, spans INTEGER NOT NULL
);
"""
INSERT = "INSERT OR IGNORE INTO spans VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"
MOST_SPANS_OF_A_TRACE = 2_000
DEEPEST_TREE = 64


class TraceStore:
    """Holds the newest `max_traces` traces; safe to call from several threads."""

    def __init__(self, folder: Path | None, *, max_traces: int) -> None:
        self._lock = threading.Lock()
        self._max_traces = max_traces
        place: str | Path = ":memory:"
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            place = folder / "traces.db"
        self._connection = sqlite3.connect(place, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        # A trace lost in a power cut costs nothing; a disk flush for each export would cost time.
        self._connection.execute("PRAGMA synchronous=OFF")
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.executescript(SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def add(self, spans: Sequence[Span]) -> int:
        """Keep `spans`; returns how many were refused because their trace is full."""
        refused = 0
        with self._lock, self._connection:
            for span in spans:
                self._connection.execute(
                    "INSERT OR IGNORE INTO traces (trace_id, spans) VALUES (?, 0)", (span.trace_id,)
                )
                count = "SELECT spans FROM traces WHERE trace_id = ?"
                if self._connection.execute(count, (span.trace_id,)).fetchone()[0] >= (
                    MOST_SPANS_OF_A_TRACE
                ):
                    refused += 1
                    continue
                added = self._connection.execute(INSERT, _row(span)).rowcount
                self._connection.execute(
                    "UPDATE traces SET spans = spans + ? WHERE trace_id = ?", (added, span.trace_id)
                )
            self._forget()
        return refused

    def _forget(self) -> None:
        newest = "SELECT MAX(number) FROM traces"
        last = self._connection.execute(newest).fetchone()[0] or 0
        old = "SELECT trace_id FROM traces WHERE number <= ?"
        gone = [(row[0],) for row in self._connection.execute(old, (last - self._max_traces,))]
        self._connection.executemany("DELETE FROM spans WHERE trace_id = ?", gone)
        self._connection.executemany("DELETE FROM traces WHERE trace_id = ?", gone)

    def newest(self, limit: int) -> list[dict[str, Any]]:
        """The newest traces, last first: id, root name, services, start, duration, span count."""
        query = "SELECT trace_id FROM traces ORDER BY number DESC LIMIT ?"
        with self._lock:
            ids = [row[0] for row in self._connection.execute(query, (limit,))]
        return [_summary(trace_id, spans) for trace_id in ids if (spans := self.spans(trace_id))]

    def spans(self, trace_id: str) -> list[Span]:
        """All spans of one trace by start time; none for an unknown id."""
        query = "SELECT * FROM spans WHERE trace_id = ? ORDER BY start_ns, end_ns DESC, span_id"
        with self._lock:
            rows = self._connection.execute(query, (trace_id,)).fetchall()
        return [_span(row) for row in rows]


def _row(span: Span) -> tuple[Any, ...]:
    columns = vars(span)
    return tuple(
        json.dumps(value) if key in ("attributes", "events") else value
        for key, value in columns.items()
    )


def _span(row: sqlite3.Row) -> Span:
    columns = dict(zip(row.keys(), row, strict=True))
    columns["attributes"] = json.loads(columns["attributes"])
    columns["events"] = json.loads(columns["events"])
    return Span(**columns)


def iso(time_ns: int) -> str:
    """Unix nanoseconds as an ISO 8601 time in UTC; out of the calendar's range as the number."""
    try:
        return datetime.fromtimestamp(time_ns / 1e9, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError, OSError):
        return str(time_ns)


def _milliseconds(nanoseconds: int) -> float:
    return round(nanoseconds / 1e6, 3)


def _summary(trace_id: str, spans: Sequence[Span]) -> dict[str, Any]:
    known = {span.span_id for span in spans}
    root = next((span for span in spans if span.parent_id not in known), spans[0])
    start = min(span.start_ns for span in spans)
    return {
        "trace_id": trace_id,
        "name": root.name,
        "services": sorted({span.service for span in spans}),
        "start": iso(start),
        "duration_ms": _milliseconds(max(span.end_ns for span in spans) - start),
        "spans": len(spans),
        "errors": sum(span.status == "error" for span in spans),
    }


def tree(trace_id: str, spans: Sequence[Span]) -> dict[str, Any]:
    """One trace as nested spans; `spans` must not be empty.

    A span whose parent is unknown stands at the top, so does one span of a loop; what lies deeper
    than `DEEPEST_TREE` levels hangs on the last level, since a JSON encoder recurses.
    """
    start = min(span.start_ns for span in spans)
    known = {span.span_id for span in spans}
    children: dict[str, list[Span]] = {}
    for span in spans:
        children.setdefault(span.parent_id, []).append(span)
    roots: list[dict[str, Any]] = []
    placed: set[str] = set()
    for top in sorted(spans, key=lambda span: span.parent_id in known):
        waiting = deque([(top, roots, 0)])
        while waiting:
            span, home, depth = waiting.popleft()
            if span.span_id in placed:
                continue
            placed.add(span.span_id)
            node = _node(span, start)
            home.append(node)
            below = node["children"] if depth < DEEPEST_TREE else home
            waiting.extend((child, below, depth + 1) for child in children.get(span.span_id, ()))
    return _summary(trace_id, spans) | {"roots": roots}


def _node(span: Span, trace_start_ns: int) -> dict[str, Any]:
    return {
        "span_id": span.span_id,
        "parent_id": span.parent_id,
        "name": span.name,
        "service": span.service,
        "kind": span.kind,
        "start": iso(span.start_ns),
        "offset_ms": _milliseconds(span.start_ns - trace_start_ns),
        "duration_ms": _milliseconds(span.end_ns - span.start_ns),
        "status": span.status,
        "message": span.message,
        "attributes": span.attributes,
        "events": span.events,
        "children": [],
    }
