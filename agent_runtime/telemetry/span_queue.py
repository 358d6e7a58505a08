"""Spans on their way out: a bounded queue and one thread, so that a request never waits for them.

The SDK's own batch processor does not tell how many spans it dropped, and may hold a process back
for half a minute at its end.
"""

import threading
import time
from collections import deque

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from prometheus_client import Counter

QUEUE_SIZE = 2048
BATCH_SIZE = 512
DELAY_SECONDS = 2.0
"""Longest time that a span waits for others to travel with."""
SHUTDOWN_SECONDS = 6.0
"""A little more than one export that times out."""


class SpanQueue(SpanProcessor):
    """Delivers ended spans in batches; what the queue can't hold or the exporter can't deliver is
    counted in `dropped` and gone."""

    def __init__(self, exporter: SpanExporter, dropped: Counter) -> None:
        self._exporter = exporter
        self._dropped = dropped
        self._waiting: deque[ReadableSpan] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._given_up = False
        self._sending = False
        self._hurry = False
        self._sender = threading.Thread(target=self._send, name="spans", daemon=True)
        self._sender.start()

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span in, at the cost of the oldest one where there is no room. Never waits."""
        if span.context is None or not span.context.trace_flags.sampled:
            return
        with self._changed:
            if self._closing:
                self._dropped.inc()
                return
            if len(self._waiting) >= QUEUE_SIZE:
                self._waiting.popleft()
                self._dropped.inc()
            self._waiting.append(span)
            if len(self._waiting) in (1, BATCH_SIZE):
                self._changed.notify_all()

    def shutdown(self) -> None:
        """Deliver what waits, for SHUTDOWN_SECONDS at most; the rest is counted as dropped."""
        with self._changed:
            if self._closing:
                return
            self._closing = True
            self._changed.notify_all()
        self._sender.join(SHUTDOWN_SECONDS)
        with self._changed:
            self._given_up = True
            self._dropped.inc(len(self._waiting))
            self._waiting.clear()
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait until everything taken in so far is delivered or given up; whether it is."""
        deadline = time.monotonic() + timeout_millis / 1000
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            while (self._waiting or self._sending) and time.monotonic() < deadline:
                self._changed.wait(deadline - time.monotonic())
            return not self._waiting and not self._sending

    def _send(self) -> None:
        while batch := self._next():
            try:
                delivered = self._exporter.export(batch) is SpanExportResult.SUCCESS
            except Exception:  # noqa: BLE001 # this thread must outlive whatever an exporter does
                delivered = False
            if not delivered:
                self._dropped.inc(len(batch))
            with self._changed:
                self._sending = False
                self._changed.notify_all()

    def _next(self) -> list[ReadableSpan]:
        """The next batch; empty when there will be none any more."""
        with self._changed:
            while not self._waiting and not self._closing:
                self._changed.wait()
            if len(self._waiting) < BATCH_SIZE and not self._closing and not self._hurry:
                self._changed.wait(DELAY_SECONDS)
            if self._given_up:
                return []
            count = min(BATCH_SIZE, len(self._waiting))
            self._sending = count > 0
            self._hurry = self._hurry and count < len(self._waiting)
            return [self._waiting.popleft() for _ in range(count)]
