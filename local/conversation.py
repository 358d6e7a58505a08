"""A question to an agent as any client would ask it: through the gateway, with an API key."""

import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
from rich.console import Console
from rich.text import Text

from local.data_flow import Step, follow, printable, steps_table
from local.report import UserError

__all__ = ["Answer", "Step", "ask", "follow", "steps_table"]

AGENT = "customer-support-agent"
SECONDS = 300.0
LONGEST_REASON = 300


@dataclass(frozen=True)
class Answer:
    """What came back; `sources` and `tool_calls` are the agent's own account of its work."""

    text: str
    trace_id: str
    seconds: float
    sources: list[dict[str, Any]] = field(default_factory=list)
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    degraded: list[str] = field(default_factory=list)
    """Parts that the agent had to do without."""
    status: str = "completed"

    def as_json(self) -> dict[str, Any]:
        """For machines; seconds are rounded to milliseconds."""
        return {
            "text": self.text,
            "status": self.status,
            "sources": self.sources,
            "tool_calls": self.tool_calls,
            "degraded": self.degraded,
            "trace_id": self.trace_id,
            "seconds": round(self.seconds, 3),
        }

    def show(self, console: Console, question: str) -> None:
        """Print the conversation; what models and documents wrote can't style or move the text."""
        rows = [("you", question)]
        for call in self.tool_calls:
            arguments = json.dumps(call.get("arguments", {}), ensure_ascii=False)
            rows.append(("tool", f"{call.get('name')} {arguments} → {call.get('status')}"))
        rows.append(("agent", self.text))
        rows += [("source", source) for source in _documents(self.sources)]
        rows += [("without", part) for part in self.degraded]
        rows.append(("trace", f"{self.trace_id}  ({self.seconds:.1f} s)"))
        for who, what in rows:
            console.print(Text(f"{who:>12}  ", style="bold"), Text(printable(what)), sep="")


def _documents(sources: list[dict[str, Any]]) -> list[str]:
    """Each document once, with its best score."""
    lines: dict[str, str] = {}
    for source in sources:
        name = str(source.get("document"))
        score = source.get("score")
        shown = f"{score:.2f}" if isinstance(score, int | float) else "?"
        lines.setdefault(name, f"{name} · {source.get('title')} · similarity {shown}")
    return list(lines.values())


def ask(gateway_url: str, key: str, question: str, *, agent: str = AGENT) -> Answer:
    """Ask `agent` and wait for its whole answer; UserError says why there is none."""
    trace_id = secrets.token_hex(16)
    headers = {
        "authorization": f"Bearer {key}",
        "traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01",
    }
    body = {"model": agent, "messages": [{"role": "user", "content": question}]}
    url = f"{gateway_url.rstrip('/')}/v1/chat/completions"
    began = time.monotonic()
    try:
        with httpx.Client(timeout=SECONDS, trust_env=False) as client:
            response = client.post(url, json=body, headers=headers)
    except httpx.TimeoutException as error:
        raise UserError(
            f"no answer from {url} within {SECONDS:.0f} s; is the machine busy? "
            f"`make trace ID={trace_id}` shows how far it came"
        ) from error
    except httpx.HTTPError as error:
        raise UserError(
            f"{url} can't be reached ({type(error).__name__}); `make status` says what runs"
        ) from error
    return _answer(response, trace_id, time.monotonic() - began, agent)


def _answer(response: httpx.Response, trace_id: str, seconds: float, agent: str) -> Answer:
    try:
        content: Any = response.json()
    except ValueError:
        content = None
    if not response.is_success or not isinstance(content, dict):
        reason = _reason(content) or printable(response.text)[:LONGEST_REASON] or "no reason given"
        raise UserError(
            f"asking {agent} ended with status {response.status_code}: {reason} (trace {trace_id})"
        )
    about = content.get("agentic") or {}
    try:
        text = str(content["choices"][0]["message"]["content"] or "")
    except (KeyError, IndexError, TypeError) as error:
        raise UserError(
            f"{agent} answered without a message (trace {trace_id}); does its name belong to an "
            "agent or a chat model?"
        ) from error
    return Answer(
        text=text,
        trace_id=str(about.get("trace_id") or trace_id),
        seconds=seconds,
        sources=list(about.get("sources") or ()),
        tool_calls=list(about.get("tool_calls") or ()),
        degraded=[str(part) for part in about.get("degraded") or ()],
        status=str(about.get("status") or "completed"),
    )


def _reason(content: Any) -> str:
    error = content.get("error") if isinstance(content, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    return printable(str(message))[:LONGEST_REASON] if message else ""
