"""JSON log lines that carry the trace id and no secrets."""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime

from opentelemetry import trace

from agent_runtime.telemetry.redaction import redacted


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, trace_id, the record's `fields`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redacted(record.getMessage()),
        }
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            line["trace_id"] = format(context.trace_id, "032x")
        for name, value in getattr(record, "fields", {}).items():
            line[name] = redacted(value) if isinstance(value, str) else value
        if record.exc_info and record.exc_info[1]:
            line["exception"] = redacted("".join(traceback.format_exception(record.exc_info[1])))
        return json.dumps(line, ensure_ascii=False, default=str)


def configure_logs(level: str) -> None:
    """Send every logger's lines to standard output in this form."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in ("httpx", "httpcore", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # it logs a stack trace for every failure that this package reports in a line of its own
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
