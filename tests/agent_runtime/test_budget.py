"""The limits of a run, as arithmetic."""

from typing import Any

import pytest

from agent_runtime.agent.breaker import Breaker
from agent_runtime.agent.budget import reached, refusals
from agent_runtime.agent.retry import CAP_SECONDS, full_jitter, retry_after
from agents.document import Budget

pytestmark = pytest.mark.unit

BUDGET = Budget(steps=5, tool_calls=3, tokens=100, time="10s", same_call=2)


def call(name: str, arguments: str = "{}") -> dict[str, Any]:
    return {"id": "1", "function": {"name": name, "arguments": arguments}}


@pytest.mark.parametrize(
    ("steps", "tokens", "seconds", "limit"),
    [
        (0, 0, 0, None),
        (3, 99, 9.9, None),
        (4, 0, 0, "steps"),
        (0, 100, 0, "tokens"),
        (0, 0, 10, "time"),
        (9, 999, 99, "time"),
    ],
)
def test_the_limit_that_the_next_step_would_break(
    steps: int, tokens: int, seconds: float, limit: str | None
) -> None:
    assert reached(BUDGET, steps=steps, tokens=tokens, seconds=seconds) == limit


def test_calls_beyond_the_number_allowed_are_refused() -> None:
    made = [("a", "{}"), ("b", "{}")]
    assert refusals(BUDGET, made, [call("c"), call("d")]) == [None, "tool_calls"]


def test_the_same_call_is_refused_once_it_was_made_often_enough() -> None:
    assert refusals(BUDGET, [("a", "{}")], [call("a"), call("a")]) == [None, "same_call"]
    assert refusals(BUDGET, [("a", "{}")] * 2, [call("a", '{"x": 1}')]) == [None]


def test_a_breaker_opens_after_failures_in_a_row_and_lets_one_trial_through() -> None:
    now = 0.0
    breaker = Breaker(failures=2, pause_seconds=10, clock=lambda: now)
    breaker.failed()
    breaker.succeeded()
    breaker.failed()
    assert breaker.admits()
    breaker.failed()
    assert not breaker.admits()
    now = 10.0
    assert breaker.admits()
    assert not breaker.admits(), "only one trial at a time"
    breaker.succeeded()
    assert breaker.admits()


def test_waits_grow_but_stay_bounded() -> None:
    assert all(0 <= full_jitter(attempt) <= CAP_SECONDS for attempt in range(1, 50))
    assert all(full_jitter(1) <= 0.25 for _ in range(50))


@pytest.mark.parametrize(
    ("header", "asked"),
    [
        ("3", (3.0, True)),
        ("9999", (9999.0, False)),
        ("soon", (None, True)),
        (None, (None, True)),
        ("-1", (None, True)),
    ],
)
def test_retry_after_is_honoured_within_reason(
    header: str | None, asked: tuple[float | None, bool]
) -> None:
    assert retry_after(header) == asked
