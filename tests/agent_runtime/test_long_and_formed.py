"""Conversations that are too long, answers in a form, and limits of a caller's own."""

import json
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_runtime.agent import compaction
from agent_runtime.agent.answer_format import check_format, problem_of
from agent_runtime.agent.budget import smaller
from agent_runtime.errors import RequestError
from agent_runtime.runs.port import Limits
from agents.document import Budget
from tests.agent_runtime.raw_model import Raw, raw_model, said
from tests.harness.agent import serving_agent

pytestmark = pytest.mark.services

AGENT = """
apiVersion: kagent.dev/v1alpha1
kind: Agent
metadata: {name: formed}
spec:
  model: {name: m}
"""
TENANT = {"x-tenant-id": "acme"}
TOO_LONG = Raw(
    [b'{"error": {"message": "This model\'s maximum context length is 10 tokens"}}'],
    400,
    {"content-type": "application/json"},
)
SCHEMA = {
    "type": "object",
    "properties": {"age": {"type": "integer"}},
    "required": ["age"],
    "additionalProperties": False,
}
FORM = {"type": "json_schema", "json_schema": {"name": "person", "schema": SCHEMA}}
PAST = [
    {"role": role, "content": f"message {number}"}
    for number in range(10)
    for role in ("user", "assistant")
]


def ask(*answers: Raw, **body: Any) -> tuple[httpx.Response, list[list[dict[str, Any]]]]:
    """The agent's answer, and the messages of each request to its model."""
    settings = {"context_tokens": body.pop("context_tokens", None)}
    asked = {"model": "formed", "messages": [*PAST, {"role": "user", "content": "so?"}], **body}
    with (
        raw_model(*answers) as model,
        serving_agent(AGENT, model_base_url=model.base_url, **settings) as agent,
    ):
        answer = httpx.post(
            f"{agent.base_url}/chat/completions", json=asked, headers=TENANT, timeout=60
        )
    return answer, [each["body"]["messages"] for each in model.asked]


def text(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    return str(answer.json()["choices"][0]["message"]["content"])


def test_a_conversation_that_the_model_refuses_is_summed_up_once() -> None:
    answer, asked = ask(TOO_LONG, said("the ", "summary"), said("so it is"))
    assert text(answer) == "so it is"
    assert len(asked) == 3
    assert any("the summary" in str(message["content"]) for message in asked[2])
    assert asked[2][-1]["content"] == "so?"
    assert len(asked[2]) < len(asked[0])


def test_a_conversation_that_stays_too_long_is_an_error() -> None:
    answer, asked = ask(TOO_LONG, said("summary"), TOO_LONG)
    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "context_too_long"
    assert len(asked) == 3


def test_a_conversation_near_the_known_window_is_summed_up_before_it_is_refused() -> None:
    answer, asked = ask(said("summary"), said("fine"), context_tokens=256)
    assert text(answer) == "fine"
    assert len(asked) == 2


def test_an_answer_in_the_wrong_form_is_repaired_once() -> None:
    answer, asked = ask(said("about ", "forty"), said('{"age": 40}'), response_format=FORM)
    assert json.loads(text(answer)) == {"age": 40}
    assert "not JSON" in asked[1][-1]["content"]


def test_an_answer_that_stays_in_the_wrong_form_is_an_error() -> None:
    answer, asked = ask(said('{"age": "old"}'), response_format=FORM)
    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "bad_answer_format"
    assert len(asked) == 2


def test_a_streamed_repair_leaves_only_the_right_answer() -> None:
    answer, _ = ask(said("forty"), said('{"age": 40}'), response_format=FORM, stream=True)
    assert '{\\"age\\": 40}' in answer.text
    assert answer.text.rstrip().endswith("data: [DONE]")


@pytest.mark.parametrize(
    "wanted",
    [
        {"type": "xml"},
        {"type": "json_schema"},
        {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "number!"}}},
        {"type": "json_schema", "json_schema": {"name": "x", "schema": {"title": "t" * 70_000}}},
    ],
)
def test_a_form_that_no_answer_can_have_is_refused(wanted: dict[str, Any]) -> None:
    with pytest.raises(RequestError) as refused:
        check_format(wanted)
    assert refused.value.status == 400


def test_a_schema_that_points_elsewhere_fetches_nothing() -> None:
    schema = {"$ref": "http://169.254.169.254/latest"}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    with pytest.raises(RequestError, match="may only point"):
        check_format(wanted)


@pytest.mark.parametrize("target", ["#", "#/$defs/none"])
def test_a_schema_in_circles_is_the_callers_mistake(target: str) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"$ref": target}}}
    check_format(wanted)
    with pytest.raises(RequestError) as refused:
        problem_of("1", wanted)
    assert refused.value.status == 400


def test_a_callers_regular_expression_is_never_run() -> None:
    schema = {"type": "string", "pattern": "(a+)+$"}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert problem_of(json.dumps("a" * 40 + "!"), wanted) == ""


def test_any_object_is_a_json_object() -> None:
    assert problem_of("{}", {"type": "json_object"}) == ""
    assert problem_of("[]", {"type": "json_object"})
    assert problem_of("free text", {"type": "text"}) == ""


messages = st.lists(
    st.one_of(
        st.builds(lambda words: {"role": "user", "content": words}, st.text(max_size=20)),
        st.builds(lambda words: {"role": "tool", "content": words}, st.text(max_size=9000)),
        st.just({"role": "assistant", "content": None, "tool_calls": []}),
    ),
    max_size=30,
)


@given(messages, st.booleans())
def test_a_summary_keeps_the_instructions_and_the_newest_messages(
    said_before: list[dict[str, Any]],
    instructed: bool,  # noqa: FBT001 # hypothesis draws it
) -> None:
    system = [{"role": "system", "content": "be kind"}] if instructed else []
    shown = [*system, *said_before]
    first, last = compaction.cut(shown)
    assert first <= last <= len(shown)
    assert last == first or shown[last]["role"] != "tool", "a tool's answer needs its call"
    result = compaction.compacted(shown, "sum", len(shown))["messages"]
    assert result[: len(system)] == system
    assert len(result) <= len(shown) + 1
    for kept, original in zip(reversed(result), reversed(shown[last:]), strict=False):
        assert kept["role"] == original["role"]
        assert len(str(kept["content"])) <= max(
            len(str(original["content"])), 2 * compaction.LONGEST_MESSAGE
        )


@given(
    st.builds(
        Limits,
        steps=st.none() | st.integers(1, 500),
        tool_calls=st.none() | st.integers(0, 900),
        tokens=st.none() | st.integers(1, 10**9),
        usd=st.none() | st.floats(0.001, 100),
        seconds=st.none() | st.floats(0.01, 10_000),
    )
)
def test_a_callers_limits_never_widen_the_documents(limits: Limits) -> None:
    budget = Budget(usd=1.0)
    result = smaller(budget, limits)
    assert result.steps <= budget.steps
    assert result.tool_calls <= budget.tool_calls
    assert result.tokens <= budget.tokens
    assert result.usd is not None
    assert result.usd <= 1.0
    assert result.seconds <= budget.seconds
    assert result.seconds > 0
