"""A client asks an agent through the gateway; every layer takes part and leaves its trace."""

import httpx
import openai
import pytest

from tests.harness.platform import Platform

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

AGENT = "customer-support-agent"
QUESTION = "How long is the warranty?"


@pytest.fixture
def gateway(platform: Platform) -> str:
    return str(platform.first_up["addresses"]["gateway"])


@pytest.fixture
def client(platform: Platform, gateway: str) -> openai.OpenAI:
    return openai.OpenAI(
        base_url=f"{gateway}/v1", api_key=platform.secret("gateway-api-key-demo"), max_retries=0
    )


def test_make_up_shows_an_answer_with_its_tool_call_source_and_trace_id(platform: Platform) -> None:
    conversation = platform.first_up["conversation"]
    assert conversation["text"]
    assert "search-knowledge-base" in str(conversation["tool_calls"])
    assert conversation["sources"], "the answer must name the document it came from"
    assert len(conversation["trace_id"]) == 32


def test_everything_that_was_deployed_is_ready(platform: Platform) -> None:
    report = platform.json("status")
    assert report["ready"]
    layers = {row["layer"] for row in report["components"]}
    assert {"ai-gateway", "ai-agents", "ai-inference", "ai-data", "observability"} <= layers


def test_one_trace_id_leads_through_all_fifteen_steps(platform: Platform) -> None:
    trace = platform.json("ask", QUESTION)["trace_id"]
    steps = platform.json("trace", trace)
    numbers = sorted(number for step in steps for number in step["numbers"])
    assert numbers == list(range(1, 16))
    assert [step for step in steps if not step["found"]] == []


def test_an_openai_client_needs_only_the_model_in_the_body(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model=AGENT, messages=[{"role": "user", "content": QUESTION}]
    )
    assert answer.choices[0].message.content


def test_an_openai_client_can_stream(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model=AGENT, messages=[{"role": "user", "content": QUESTION}], stream=True
    )
    chunks = [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]
    assert "".join(chunks).strip()


def test_the_header_names_the_model_too(platform: Platform, gateway: str) -> None:
    answer = httpx.post(
        f"{gateway}/v1/chat/completions",
        headers={
            "authorization": f"Bearer {platform.secret('gateway-api-key-demo')}",
            "x-model-id": AGENT,
        },
        json={"model": AGENT, "messages": [{"role": "user", "content": QUESTION}]},
        timeout=60,
    )
    assert answer.status_code == 200, answer.text


def test_a_ticket_is_opened_by_the_agents_tool(platform: Platform) -> None:
    answer = platform.json("ask", "My battery shows a blinking red light. Please open a ticket.")
    assert "create-ticket" in str(answer["tool_calls"])


def test_a_jwt_is_as_good_as_a_key(platform: Platform, gateway: str) -> None:
    token = platform.run("token", "--tenant", "demo").stdout.strip()
    answer = openai.OpenAI(base_url=f"{gateway}/v1", api_key=token).chat.completions.create(
        model=AGENT, messages=[{"role": "user", "content": QUESTION}]
    )
    assert answer.choices[0].message.content


@pytest.mark.parametrize("key", ["sk-demo-wrong", "a.b.c", ""])
def test_who_is_not_known_is_refused_at_the_gateway(gateway: str, key: str) -> None:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    answer = httpx.post(
        f"{gateway}/v1/chat/completions", headers=headers, json={"model": AGENT, "messages": []}
    )
    assert answer.status_code == 401
    assert answer.json()["error"]["message"]


def test_an_unknown_model_is_a_clear_error(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="customer-support-agent"):
        client.chat.completions.create(
            model="gpt-99", messages=[{"role": "user", "content": "hello"}]
        )


def test_another_tenant_does_not_see_the_documents(platform: Platform, gateway: str) -> None:
    token = platform.run("token", "--tenant", "stranger").stdout.strip()
    answer = httpx.post(
        f"{gateway}/v1/chat/completions",
        headers={"authorization": f"Bearer {token}", "x-tenant-id": "demo"},
        json={"model": AGENT, "messages": [{"role": "user", "content": QUESTION}]},
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["agentic"]["sources"] == [], "a spoofed tenant header must not help"
