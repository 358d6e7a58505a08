"""Runs that would not end by themselves: loops, made-up tools, wrong arguments, slow models."""

from typing import Any

import httpx
import pytest

from tests.harness.agent import RunningAgent, serving_agent
from tests.harness.scripted_model import RunningModel, scripted_model

pytestmark = pytest.mark.services

AGENT = """
apiVersion: kagent.dev/v1alpha1
kind: Agent
metadata: {name: limited}
spec:
  model: {name: scripted}
  tools: [{name: calculate, type: code}]
  budget: {steps: 4, toolCalls: 5, sameCall: 2, time: %s}
"""


def calls(*codes: str, name: str = "calculate", **arguments: Any) -> dict[str, Any]:
    given = [{"name": name, "arguments": arguments or {"code": code}} for code in codes]
    return {"toolCalls": given, "text": None}


def ask(agent: RunningAgent) -> dict[str, Any]:
    body = {"model": "limited", "messages": [{"role": "user", "content": "go"}]}
    answer = httpx.post(
        f"{agent.base_url}/chat/completions",
        json=body,
        headers={"x-tenant-id": "acme"},
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def run(
    rules: list[dict[str, Any]], *, time: str = "1m", steps: int = 4
) -> tuple[dict[str, Any], RunningModel]:
    document = (AGENT % time).replace("steps: 4", f"steps: {steps}")
    with (
        scripted_model(rules) as model,
        serving_agent(document, model_base_url=model.base_url) as agent,
    ):
        return ask(agent), model


def statuses(answer: dict[str, Any]) -> list[str]:
    return [call["status"] for call in answer["agentic"]["tool_calls"]]


def tool_message(model: RunningModel) -> str:
    messages = model.requests[-1]["body"]["messages"]
    return str(next(each["content"] for each in reversed(messages) if each["role"] == "tool"))


def test_a_model_that_repeats_itself_is_stopped() -> None:
    answer, model = run(
        [
            {"name": "again", "when": {"after": "any"}, "reply": calls("1")},
            {"name": "first", "reply": calls("1")},
        ]
    )
    assert statuses(answer) == ["ok", "ok", "refused"]
    assert answer["agentic"]["limit"] == "same_call"
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["choices"][0]["message"]["content"]
    assert model.requests[-1]["body"]["tool_choice"] == "none"


def test_a_model_that_never_answers_is_asked_to_at_its_last_step() -> None:
    rules = [
        {"name": str(step), "times": 1, "when": {"after": after}, "reply": calls(str(step))}
        for step, after in ((1, "none"), (2, "any"), (3, "any"))
    ]
    end = {"name": "end", "when": {"after": "any"}, "reply": {"text": "as far as I got"}}
    answer, model = run([*rules, end])
    assert len(model.requests) == 4
    assert answer["choices"][0]["message"]["content"] == "as far as I got"
    assert answer["agentic"]["limit"] == "steps"


def test_more_tool_calls_than_allowed_are_refused() -> None:
    answer, _ = run(
        [
            {"name": "many", "when": {"after": "none"}, "reply": calls(*map(str, range(7)))},
            {"name": "end", "when": {"after": "any"}, "reply": {"text": "done"}},
        ]
    )
    assert statuses(answer) == ["ok"] * 5 + ["refused"] * 2
    assert answer["agentic"]["limit"] == "tool_calls"


def test_a_run_that_is_out_of_time_says_so() -> None:
    answer, _ = run([{"name": "slow", "reply": {"text": "late", "delaySeconds": 30}}], time="500ms")
    assert answer["agentic"]["limit"] == "time"
    assert "time" in answer["choices"][0]["message"]["content"]


def test_arguments_that_do_not_fit_may_be_mended_twice() -> None:
    tries = [calls("", **{name: "1"}) for name in ("kode", "cod", "c", "code")]
    told = [{"after": "none"}] + [
        {"after": "any", "result": f"'{name}' was unexpected"} for name in ("kode", "cod", "c")
    ]
    mending = [
        {"name": f"try {number}", "when": when, "reply": reply}
        for number, (when, reply) in enumerate(zip(told, tries, strict=True))
    ]
    end = {"name": "end", "when": {"after": "any"}, "reply": {"text": "sorry"}}
    answer, _ = run([*mending, end], steps=9)
    assert statuses(answer) == ["error"] * 3 + ["refused"]
    assert answer["agentic"]["limit"] == "repairs"
    in_time = [*mending[:2], {**mending[2], "reply": calls("6 * 7")}]
    answer, _ = run([*in_time, end], steps=9)
    assert statuses(answer) == ["error", "error", "ok"]
    assert answer["agentic"]["limit"] is None or answer["agentic"]["limit"] == ""


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (calls("", name="calcluate"), "did you mean calculate?"),
        (calls("", name="rm-rf"), "there are: calculate"),
        (calls("", kode="1"), "'code' is a required property"),
        (calls("", code=7), "7 is not of type 'string'"),
        (calls("1/0"), "ZeroDivisionError"),
        (calls("import socket"), "error"),
        (calls("open('/etc/passwd').read()"), "error"),
        (calls("while True: pass"), "error"),
    ],
)
def test_a_bad_call_is_told_to_the_model_which_goes_on(reply: dict[str, Any], told: str) -> None:
    answer, model = run(
        [
            {"name": "bad", "when": {"after": "none"}, "reply": reply},
            {"name": "end", "when": {"after": "any"}, "reply": {"text": "sorry"}},
        ]
    )
    assert told in tool_message(model)
    assert answer["choices"][0]["message"]["content"] == "sorry"
    assert statuses(answer) == ["error"]
