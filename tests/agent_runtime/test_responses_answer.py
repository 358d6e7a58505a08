"""The fold from a run's events to a response's, held to the types of OpenAI's client."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from agent_runtime.agent.result import RunResult
from agent_runtime.api.responses_answer import ResponseAnswer
from agent_runtime.api.responses_request import ResponseId
from agent_runtime.runs.port import EventType, RunEvent, RunRecord

pytestmark = pytest.mark.unit

RUN = RunRecord("r1", "acme", "kim", "s1", "completed", 1000.0, 1002.0)
EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def result(text: str, **more: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "text": text,
        "status": "completed",
        "finish_reason": "stop",
        "model": "scripted",
        "session": "s1",
        "trace_id": "t1",
        "prompt_tokens": 3,
        "completion_tokens": 2,
    }
    return asdict(RunResult(**(given | more)))


def log(*told: tuple[EventType, dict[str, Any]]) -> list[RunEvent]:
    return [RunEvent(f"{1000 + at}-0", kind, data) for at, (kind, data) in enumerate(told)]


def delta(text: str, step: int = 1) -> tuple[EventType, dict[str, Any]]:
    return "text.delta", {"step": step, "text": text}


def completed(text: str, **more: Any) -> tuple[EventType, dict[str, Any]]:
    return "run.completed", {"state": "completed", "result": result(text, **more)}


QUEUED: tuple[EventType, dict[str, Any]] = ("run.queued", {"state": "queued"})
RUNNING: tuple[EventType, dict[str, Any]] = ("run.running", {"state": "running", "attempt": 1})
CALLED: list[tuple[EventType, dict[str, Any]]] = [
    ("tool.started", {"id": "c1", "name": "add", "arguments": {"a": 1}}),
    (
        "tool.finished",
        {"id": "c1", "name": "add", "arguments": {"a": 1}, "status": "ok", "seconds": 0.1},
    ),
]
APPROVAL = {"id": "a1", "tool": "pay", "arguments": {"amount": 5}, "prompt": "Pay?"}
WAITING: tuple[EventType, dict[str, Any]] = (
    "run.waiting_input",
    {
        "state": "waiting_input",
        "result": result("Waiting.", status="waiting_input", approvals=[APPROVAL]),
    },
)


def folded(
    events: Sequence[RunEvent], part: int = 0
) -> tuple[ResponseAnswer, list[dict[str, Any]]]:
    answer = ResponseAnswer("helper", RUN, ResponseId("r1", part))
    return answer, [each for event in events for each in answer.feed(event)]


def held_to_the_client(answer: ResponseAnswer, told: list[dict[str, Any]]) -> Response:
    """Every event, and the whole, are what OpenAI's client expects."""
    for event in told:
        EVENTS.validate_python(event)
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    return Response.model_validate(answer.whole())


def test_words_and_tools_become_items_in_their_order() -> None:
    answer, told = folded(
        log(
            QUEUED,
            RUNNING,
            delta("Let me see."),
            *CALLED,
            delta("It ", 2),
            delta("is 1.", 2),
            completed("It is 1."),
        )
    )
    whole = held_to_the_client(answer, told)
    assert [item.type for item in whole.output] == ["message", "mcp_call", "message"]
    assert whole.output_text == "Let me see.It is 1."
    assert (whole.status, whole.completed_at) == ("completed", 1)
    assert whole.usage is not None
    assert whole.usage.total_tokens == 5
    assert told[-1]["type"] == "response.completed"


def test_words_of_a_step_that_began_again_are_not_part_of_the_answer() -> None:
    again: tuple[EventType, dict[str, Any]] = (
        "step.restarted",
        {"step": 1, "attempt": 2, "reason": "lost"},
    )
    answer, told = folded(log(RUNNING, delta("Hel"), again, delta("Hello"), completed("Hello")))
    whole = held_to_the_client(answer, told)
    assert whole.output_text == "Hello"
    dropped = next(each for each in told if each["type"] == "response.output_item.done")
    assert dropped["item"]["status"] == "incomplete"


def test_an_answer_that_nobody_streamed_comes_whole() -> None:
    answer, told = folded(log(RUNNING, completed("Out of time.", finish_reason="length")))
    whole = held_to_the_client(answer, told)
    assert whole.output_text == "Out of time."
    assert whole.status == "incomplete"
    assert whole.incomplete_details is not None
    assert told[-1]["type"] == "response.incomplete"


@pytest.mark.parametrize(
    ("status", "code"),
    [(500, "server_error"), (429, "rate_limit_exceeded"), (400, "invalid_prompt")],
)
def test_a_failure_has_a_code_that_the_client_knows(status: int, code: str) -> None:
    error = {"code": "ours", "message": "It broke.", "status": status}
    answer, told = folded(
        log(RUNNING, delta("Hal"), ("run.failed", {"state": "failed", "error": error}))
    )
    whole = held_to_the_client(answer, told)
    assert whole.error is not None
    assert (whole.error.code, whole.error.message) == (code, "It broke.")
    assert answer.failure is not None
    assert answer.failure.status == status


def test_a_canceled_run_is_a_cancelled_response() -> None:
    answer, told = folded(log(RUNNING, ("run.canceled", {"state": "canceled"})))
    assert held_to_the_client(answer, told).status == "cancelled"


def test_a_pause_ends_one_response_and_begins_the_next() -> None:
    events = log(RUNNING, WAITING, QUEUED, RUNNING, delta("Paid.", 2), completed("Paid."))
    first, told = folded(events)
    asked = held_to_the_client(first, told)
    assert [item.type for item in asked.output] == ["mcp_approval_request"]
    second, told = folded(events, part=1)
    paid = held_to_the_client(second, told)
    assert (paid.id, paid.previous_response_id) == ("resp_r1.1", "resp_r1")
    assert paid.output_text == "Paid."
    third, told = folded(events, part=2)
    assert not third.begun


STEPS = st.lists(
    st.one_of(
        st.builds(delta, st.text("ab", min_size=1, max_size=3), st.integers(1, 2)),
        st.just(("step.restarted", {"step": 1, "attempt": 2, "reason": "lost"})),
        st.sampled_from([*CALLED, QUEUED, RUNNING]),
    ),
    max_size=12,
)


@settings(max_examples=40)
@given(STEPS, st.text("ab", max_size=4))
def test_any_order_of_events_is_told_in_the_clients_types_and_the_same_when_told_again(
    steps: list[tuple[EventType, dict[str, Any]]], text: str
) -> None:
    events = log(*steps, completed(text))
    answer, told = folded(events)
    whole = held_to_the_client(answer, told)
    assert whole.output_text.endswith(text)
    assert folded(events)[1] == told
    added = [each["output_index"] for each in told if each["type"].endswith("item.added")]
    done = [each["output_index"] for each in told if each["type"].endswith("item.done")]
    assert added == list(range(len(added)))
    assert set(done) <= set(added)
