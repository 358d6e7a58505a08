"""How a run's state grows, and what of it the caller is told."""

import pytest

from agent_runtime.agent.result import RunResult, from_state
from agent_runtime.agent.state import RunState, advanced, opening
from agent_runtime.api.chat_answer import usage

pytestmark = pytest.mark.unit


def result(state: RunState) -> RunResult:
    return from_state(state, session="s", trace_id="t", degraded=[], approvals=[])


def test_tokens_of_a_providers_cache_are_told_as_part_of_the_input() -> None:
    state = opening([], [{"role": "user", "content": "hi"}])
    for _ in range(2):
        update = {"tokens_in": 100, "tokens_cached": 64, "tokens_out": 5, "finish_reason": "stop"}
        state = advanced(state, update)
    told = usage(result(state))
    assert told["prompt_tokens"] == 200
    assert told["prompt_tokens_details"] == {"cached_tokens": 128}


def test_a_run_that_an_older_version_began_goes_on() -> None:
    state = opening([], [{"role": "user", "content": "hi"}])
    del state["tokens_cached"]  # type: ignore[misc] # what a store may still hold
    assert result(state).cached_tokens == 0
    assert advanced(state, {"tokens_cached": 7})["tokens_cached"] == 7


def test_a_call_that_could_be_made_ends_the_row_of_those_that_could_not() -> None:
    state = opening([], [])
    for step in (0, 1):
        # two calls side by side are one try of the model
        state = advanced(advanced(state, {"misfits": {"a": [step]}}), {"misfits": {"a": [step]}})
    state = advanced(state, {"misfits": {"b": [2]}})
    assert state["misfits"] == {"a": [0, 1], "b": [2]}
    assert advanced(state, {"misfits": {"a": []}})["misfits"] == {"a": [], "b": [2]}
