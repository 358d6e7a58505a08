"""The scripted model over HTTP: rules, templates, streams, errors."""

import json
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from local.report import UserError
from local.workloads.model_script import load_script
from tests.harness.scripted_model import RunningModel, scripted_model

pytestmark = pytest.mark.services

SEARCH = {"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}
RULES: list[dict[str, Any]] = [
    {
        "name": "busy",
        "when": {"user": "busy"},
        "times": 1,
        "reply": {"error": {"status": 429, "retryAfterSeconds": 2}},
    },
    {
        "name": "search",
        "when": {"user": "about (\\w+)", "offers": "search"},
        "reply": {"toolCalls": [{"name": "search", "arguments": {"query": "${user.1}"}}]},
    },
    {
        "name": "answer",
        "when": {"after": "search"},
        "reply": {"text": "It says: ${tool.hits.0.text|nothing} (${tool.hits.5|no sixth})"},
    },
    {"name": "cut", "when": {"user": "cut"}, "reply": {"text": "a b c d", "cutAfterChunks": 3}},
    {"name": "any", "reply": {"text": "You said ${user}."}},
]


def ask(model: RunningModel, *messages: dict[str, Any], **more: Any) -> httpx.Response:
    body = {"model": "scripted", "messages": list(messages), **more}
    return httpx.post(f"{model.base_url}/chat/completions", json=body)


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def test_a_rule_answers_with_a_tool_call_and_the_next_with_the_tool_s_result() -> None:
    with scripted_model(RULES) as model:
        first = ask(model, user("tell me about owls"), tools=[SEARCH]).json()["choices"][0]
        assert first["finish_reason"] == "tool_calls"
        call = first["message"]["tool_calls"][0]
        assert json.loads(call["function"]["arguments"]) == {"query": "owls"}
        result = {
            "role": "tool",
            "tool_call_id": call["id"],
            "content": json.dumps({"hits": [{"text": "owls fly"}]}),
        }
        second = ask(model, user("tell me about owls"), first["message"], result, tools=[SEARCH])
        message = second.json()["choices"][0]["message"]
        assert message["content"] == "It says: owls fly (no sixth)"
        assert [model.played(name) for name in ("search", "answer", "any")] == [1, 1, 0]


def test_a_tool_that_was_not_offered_is_not_called() -> None:
    with scripted_model(RULES) as model:
        answer = ask(model, user("tell me about owls")).json()
    assert answer["choices"][0]["message"]["content"] == "You said tell me about owls."


def test_it_says_that_it_is_a_stand_in() -> None:
    with scripted_model(RULES) as model:
        card = httpx.get(f"{model.base_url}/models").json()["data"][0]
        answer = ask(model, user("hi")).json()
    assert "stand-in" in card["owned_by"]
    assert "stand-in" in answer["system_fingerprint"]


def test_the_openai_client_reads_its_stream_with_usage() -> None:
    with scripted_model(RULES) as model:
        client = openai.OpenAI(base_url=model.base_url, api_key="none")
        with client.chat.completions.create(
            model="scripted",
            messages=[{"role": "user", "content": "hello there"}],
            stream=True,
            stream_options={"include_usage": True},
        ) as stream:
            chunks = list(stream)
        client.close()
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "You said hello there."
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.prompt_tokens == 2


def test_an_error_is_served_once_with_its_retry_after() -> None:
    with scripted_model(RULES) as model:
        refused = ask(model, user("busy?"))
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "2")
        assert ask(model, user("busy?")).status_code == 200


def test_a_cut_stream_ends_without_its_end() -> None:
    with scripted_model(RULES) as model:
        lines: list[str] = []
        body = {"messages": [user("cut")], "stream": True}
        with (
            httpx.stream("POST", f"{model.base_url}/chat/completions", json=body) as response,
            pytest.raises(httpx.RemoteProtocolError),
        ):
            lines.extend(response.iter_lines())
    assert not any("[DONE]" in line for line in lines)


def test_a_request_without_a_rule_is_an_error_that_says_so() -> None:
    with scripted_model(RULES[1:2]) as model:
        answer = ask(model, user("hi"))
    assert answer.status_code == 400
    assert "no rule" in answer.json()["error"]["message"]


def test_a_malformed_request_is_refused_with_its_place() -> None:
    with scripted_model(RULES) as model:
        answer = httpx.post(f"{model.base_url}/chat/completions", json={"messages": [{}]})
    assert answer.status_code == 400
    assert "messages.0.role" in answer.json()["error"]["message"]


def test_embeddings_are_alike_for_texts_with_common_words() -> None:
    with scripted_model(RULES) as model:
        client = openai.OpenAI(base_url=model.base_url, api_key="none")
        texts = ["reset the pump", "reset the blue pump", "invoices by post"]
        data = client.embeddings.create(model="scripted", input=texts).data
        client.close()
    first, near, far = (each.embedding for each in data)
    dot = [sum(a * b for a, b in zip(first, other, strict=True)) for other in (near, far)]
    assert dot[0] > 0.7 > 0.3 > dot[1]


def test_a_script_with_mistakes_names_each(tmp_path: Path) -> None:
    script = tmp_path / "script.yaml"
    script.write_text("rules:\n- {name: a, reply: {txt: b}}\n- {name: b, when: {user: '('}}\n")
    with pytest.raises(UserError) as caught:
        load_script(script)
    text = "\n".join(caught.value.lines)
    assert all(part in text for part in ("rules.0.reply.txt", "rules.1.when.user", "rules.1.reply"))
