"""One JSON object per line on standard output: what every program of the data plane logs."""

import json
import logging
import re
import sys
from datetime import UTC, datetime

TRACEPARENT = re.compile(r"^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?$")


def trace_id_of(traceparent: str | None) -> str | None:
    """The trace id of a W3C `traceparent`; None where there is none or it is malformed."""
    match = TRACEPARENT.match((traceparent or "").strip().lower())
    if match is None or set(match[1]) == {"0"}:
        return None
    return match[1]


def log(event: str, *, level: str = "info", **fields: object) -> None:
    """Write one line; fields that are None are left out."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    record: dict[str, object] = {"time": now, "level": level, "event": event}
    record |= {key: value for key, value in fields.items() if value is not None}
    sys.stdout.write(json.dumps(record, default=str, ensure_ascii=False) + "\n")
    sys.stdout.flush()


class JsonHandler(logging.Handler):
    """Hands the records of libraries to `log`, an exception as its last line."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        log(
            "library",
            level=record.levelname.lower(),
            logger=record.name,
            text=record.getMessage().splitlines()[0] if record.getMessage() else "",
            error=f"{type(error).__name__}: {error}" if error else None,
        )


def route_library_logs(level: int = logging.WARNING) -> None:
    """Make libraries' log records JSON lines too; idempotent."""
    logging.basicConfig(level=level, handlers=[JsonHandler()], force=True)
