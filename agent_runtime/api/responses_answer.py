"""A run in the shapes of OpenAI's responses, told as events and as one object.

Both are made by one fold over the run's events, so that a response that is read later, resumed in
the middle or asked of another replica is the same, down to its sequence numbers.
"""

import json
from collections.abc import Mapping
from typing import Any, Literal

from agent_runtime.agent.result import RunResult
from agent_runtime.api.outcome import failed
from agent_runtime.api.responses_request import ResponseId
from agent_runtime.api.responses_text import OpenMessage
from agent_runtime.errors import RequestError
from agent_runtime.runs.port import RunEvent, RunRecord

Event = dict[str, Any]
Status = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
ECHO = "responses"
"""Where a run keeps what its responses repeat of their request."""


class ResponseAnswer:
    """Takes a run's events in order, from the first; gives the response's."""

    def __init__(self, agent: str, run: RunRecord, response: ResponseId) -> None:
        self.id = response
        self.done = False
        self._agent = agent
        self._run = run
        self._part = 0
        self._number = -1
        self._status: Status = "in_progress"
        self._output: list[dict[str, Any]] = []
        self._items = 0
        self._text: OpenMessage | None = None
        self._last_text = ""
        self._calls: dict[str, tuple[int, dict[str, Any]]] = {}
        self._result: RunResult | None = None
        self._error: RequestError | None = None
        self._completed: int | None = None

    @property
    def begun(self) -> bool:
        """Whether there is such a response at all."""
        return self._number >= 0

    @property
    def next_number(self) -> int:
        """For an event that is not the run's."""
        return self._number + 1

    @property
    def failure(self) -> RequestError | None:
        """Why there is no answer; a caller who waited gets it as the status."""
        return self._error

    def feed(self, event: RunEvent) -> list[Event]:
        """The response's events that this one stands for."""
        if self.done:
            return []
        if self._part < self.id.part:
            self._part += event.type == "run.waiting_input"
            return []
        begun = [] if self.begun else self._begin(event)
        return begun + self._told(event)

    def whole(self) -> dict[str, Any]:
        """The response as it stands."""
        echo: Mapping[str, Any] = self._run.metadata.get(ECHO, {})
        limited = self._status == "incomplete"
        error = (
            {"code": _code(self._error), "message": self._error.message} if self._error else None
        )
        return {
            "id": str(self.id),
            "object": "response",
            "created_at": int(self._run.created),
            "completed_at": self._completed,
            "status": self._status,
            "background": echo.get("background", False),
            "error": error,
            "incomplete_details": {"reason": "max_output_tokens"} if limited else None,
            "instructions": echo.get("instructions"),
            "max_output_tokens": echo.get("max_output_tokens"),
            "max_tool_calls": None,
            "model": self._agent,
            "output": list(self._output),
            "parallel_tool_calls": True,
            "previous_response_id": self._previous(echo),
            "prompt_cache_key": None,
            "reasoning": {"effort": None, "summary": None},
            "safety_identifier": None,
            "service_tier": "default",
            "store": True,
            "temperature": echo.get("temperature"),
            "text": echo.get("text", {"format": {"type": "text"}}),
            "tool_choice": "auto",
            "tools": [],
            "top_logprobs": 0,
            "top_p": None,
            "presence_penalty": 0,
            "frequency_penalty": 0,
            "truncation": "disabled",
            "usage": _usage(self._result) if self._result else None,
            "user": None,
            "metadata": echo.get("metadata", {}),
            "conversation": {"id": self._run.session},
            "agentic": self._result.extension() if self._result else None,
        }

    def _previous(self, echo: Mapping[str, Any]) -> str | None:
        if self.id.part:
            return str(ResponseId(self.id.run, self.id.part - 1))
        previous = echo.get("previous_response_id")
        return previous if isinstance(previous, str) else None

    def _begin(self, event: RunEvent) -> list[Event]:
        self._status = "queued" if event.type == "run.queued" else "in_progress"
        return [self._event("response.created", response=self.whole())]

    def _told(self, event: RunEvent) -> list[Event]:
        match event.type:
            case "run.queued":
                return self._state("queued")
            case "run.running":
                return self._state("in_progress")
            case "text.delta":
                return self._words(event.data["step"], event.data["text"])
            case "step.restarted":
                return self._drop()
            case "tool.started":
                return [*self._close(), *self._call(event.data)]
            case "tool.finished":
                return self._called(event.data)
            case _:
                return self._end(event)

    def _state(self, status: Status) -> list[Event]:
        self._status = status
        return [self._event(f"response.{status}", response=self.whole())]

    def _words(self, step: int, text: str) -> list[Event]:
        opened = [] if self._text and self._text.step == step else self._open(step)
        assert self._text  # noqa: S101 # opened just now
        return [*opened, self._event(*self._text.said(text))]

    def _open(self, step: int) -> list[Event]:
        closed = self._close()
        self._text = OpenMessage(self._next(), f"msg_{self.id.run}_{self._items}", step)
        return closed + [self._event(*each) for each in self._text.opening()]

    def _close(self) -> list[Event]:
        if not self._text:
            return []
        text, self._text = self._text, None
        self._last_text = text.text
        self._output.append(text.item("completed"))
        return [self._event(*each) for each in text.closing("completed")]

    def _drop(self) -> list[Event]:
        """The words so far are void: their item ends incomplete and is not part of the response."""
        if not self._text:
            return []
        text, self._text = self._text, None
        return [self._event(*each) for each in text.closing("incomplete")]

    def _call(self, data: Mapping[str, Any]) -> list[Event]:
        index = self._next()
        item = {
            "id": f"mcp_{data['id']}",
            "type": "mcp_call",
            "name": data["name"],
            "server_label": self._agent,
            "arguments": _json(data["arguments"]),
            "status": "in_progress",
            "output": None,
            "error": None,
            "approval_request_id": None,
        }
        self._calls[str(data["id"])] = index, item
        place = {"output_index": index, "item_id": item["id"]}
        return [
            self._event("response.output_item.added", {"output_index": index, "item": dict(item)}),
            self._event("response.mcp_call.in_progress", place),
            self._event(
                "response.mcp_call_arguments.done", {**place, "arguments": item["arguments"]}
            ),
        ]

    def _called(self, data: Mapping[str, Any]) -> list[Event]:
        begun = [] if str(data["id"]) in self._calls else self._call(data)
        index, item = self._calls.pop(str(data["id"]))
        well = data["status"] == "ok"
        item["status"] = "completed" if well else "failed"
        item["error"] = None if well else str(data["status"])
        self._output.append(item)
        place = {"output_index": index, "item_id": item["id"]}
        return [
            *begun,
            self._event(f"response.mcp_call.{item['status']}", place),
            self._event("response.output_item.done", {"output_index": index, "item": dict(item)}),
        ]

    def _end(self, event: RunEvent) -> list[Event]:
        self.done = True
        if event.type in ("run.completed", "run.waiting_input"):
            self._completed = _moment(event, self._run)
            return self._ended(RunResult(**event.data["result"]))
        dropped = self._drop()
        if event.type == "run.canceled":
            self._status = "cancelled"
        else:
            self._status = "failed"
            self._error = failed(event)
        return [*dropped, self._event("response.failed", response=self.whole())]

    def _ended(self, result: RunResult) -> list[Event]:
        self._result = result
        told: list[Event] = []
        if result.status == "waiting_input":
            told = self._close() + [
                each for approval in result.approvals for each in self._asked(approval)
            ]
        else:
            said = self._text.text if self._text else self._last_text
            if result.text != said:
                told = self._words(-1, result.text)
            told += self._close()
        limited = result.finish_reason == "length" and result.status == "completed"
        self._status = "incomplete" if limited else "completed"
        return [*told, self._event(f"response.{self._status}", response=self.whole())]

    def _asked(self, approval: Mapping[str, Any]) -> list[Event]:
        item = {
            "id": approval["id"],
            "type": "mcp_approval_request",
            "name": approval["tool"],
            "server_label": self._agent,
            "arguments": _json(approval["arguments"]),
        }
        place = {"output_index": self._next(), "item": item}
        self._output.append(item)
        return [
            self._event("response.output_item.added", place),
            self._event("response.output_item.done", place),
        ]

    def _next(self) -> int:
        self._items += 1
        return self._items - 1

    def _event(self, kind: str, fields: Mapping[str, Any] | None = None, **more: Any) -> Event:
        self._number += 1
        return {"type": kind, "sequence_number": self._number, **(fields or {}), **more}


def _moment(event: RunEvent, run: RunRecord) -> int:
    """When an event came: a store's ids begin with the time in milliseconds."""
    stamp, dash, _ = event.id.partition("-")
    return int(stamp) // 1000 if dash and stamp.isdigit() else int(run.updated)


def _code(error: RequestError) -> str:
    """One of the codes that OpenAI's client knows; what it was exactly says the message."""
    if error.status == 429:
        return "rate_limit_exceeded"
    return "server_error" if error.status >= 500 else "invalid_prompt"


def _json(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _usage(result: RunResult) -> dict[str, Any]:
    return {
        "input_tokens": result.prompt_tokens,
        "input_tokens_details": {
            "cached_tokens": result.cached_tokens,
            "cache_write_tokens": 0,
        },
        "output_tokens": result.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": result.prompt_tokens + result.completion_tokens,
    }
