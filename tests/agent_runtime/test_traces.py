"""Spans as a real OTLP receiver sees them, and requests that never wait for it."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from agent_runtime.telemetry import recorder, span_queue
from local.workloads.trace_receiver import build_app
from local.workloads.trace_store import TraceStore
from tests.harness.agent import RunningAgent, serving_agent
from tests.harness.http_server import serving
from tests.harness.scripted_model import RunningModel, scripted_model
from tests.harness.workload import eventually, free_port

pytestmark = pytest.mark.services

AGENT = """
apiVersion: kagent.dev/v1alpha1
kind: Agent
metadata: {name: traced}
spec:
  model: {name: scripted}
  tools: [{name: calculate, type: code}]
"""
RULES = [
    {
        "name": "calculates",
        "when": {"after": "none"},
        "reply": {"toolCalls": [{"name": "calculate", "arguments": {"code": "'sk-' + 'a' * 20"}}]},
    },
    {"name": "reports", "when": {"after": "any"}, "reply": {"text": "done"}},
]


@pytest.fixture(scope="module")
def model() -> Iterator[RunningModel]:
    with scripted_model(RULES) as running:
        yield running


@pytest.fixture
def receiver() -> Iterator[str]:
    with serving(build_app(TraceStore(None, max_traces=100))) as url:
        yield url


def ask(agent: RunningAgent) -> httpx.Response:
    body = {
        "model": "traced",
        "messages": [{"role": "user", "content": "my key is sk-abcdefghijklmnop"}],
    }
    headers = {"x-tenant-id": "acme", "x-session-id": "session-1"}
    return httpx.post(f"{agent.base_url}/chat/completions", json=body, headers=headers, timeout=60)


def spans(receiver: str, trace_id: str) -> list[dict[str, Any]]:
    """All spans of a trace, parents before their children."""
    found = httpx.get(f"{receiver}/traces/{trace_id}").json()
    ordered: list[dict[str, Any]] = []
    waiting = list(found["roots"])
    while waiting:
        span = waiting.pop(0)
        ordered.append(span)
        waiting += span["children"]
    return ordered


def test_a_request_is_one_trace_with_the_agreed_names(model: RunningModel, receiver: str) -> None:
    with serving_agent(
        AGENT, model_base_url=model.base_url, otlp_endpoint=f"{receiver}/v1/traces"
    ) as agent:
        trace_id = ask(agent).headers["x-trace-id"]
    root, *rest = spans(receiver, trace_id)
    assert root["name"] == "invoke_agent traced"
    assert sorted(span["name"] for span in rest) == [
        "chat scripted",
        "chat scripted",
        "execute_tool calculate",
    ]
    for span in (root, *rest):
        attributes = span["attributes"]
        assert attributes["langfuse.observation.metadata.tenant"] == "acme"
        assert attributes["session.id"] == attributes["gen_ai.conversation.id"] == "session-1"
        assert attributes["gen_ai.agent.name"] == "traced"
    chat = next(span for span in rest if span["name"] == "chat scripted")
    assert int(chat["attributes"]["gen_ai.usage.input_tokens"]) > 0
    assert "gen_ai.usage.input_tokens" not in root["attributes"]


def test_prompts_stay_out_of_spans_unless_asked_for_and_credentials_always(
    model: RunningModel, receiver: str
) -> None:
    for content, kept in (("off", False), ("redacted", True)):
        with serving_agent(
            AGENT,
            model_base_url=model.base_url,
            otlp_endpoint=f"{receiver}/v1/traces",
            trace_content=content,
        ) as agent:
            trace_id = ask(agent).headers["x-trace-id"]
        text = str(spans(receiver, trace_id))
        assert ("my key is" in text) is kept
        assert "sk-abcdefghijklmnop" not in text
        assert "sk-aaaaaaaaaaaaaaaaaaaa" not in text


def test_a_receiver_that_is_down_fails_no_request_and_its_losses_are_counted(
    model: RunningModel,
) -> None:
    dead = f"http://127.0.0.1:{free_port()}/v1/traces"
    with serving_agent(AGENT, model_base_url=model.base_url, otlp_endpoint=dead) as agent:
        assert ask(agent).status_code == 200
    assert agent.metric("agent_spans_dropped_total", agent="traced") == 4


def test_requests_go_on_while_the_receiver_swallows_everything(
    model: RunningModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The receiver takes connections and never answers: no request may wait for its timeout."""
    import socket

    # a busy machine may need longer for the requests than an export hangs otherwise
    monkeypatch.setattr(recorder, "EXPORT_TIMEOUT_SECONDS", 120)
    monkeypatch.setattr(span_queue, "SHUTDOWN_SECONDS", 0.2)
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen(16)
        endpoint = f"http://127.0.0.1:{hole.getsockname()[1]}/v1/traces"
        with serving_agent(AGENT, model_base_url=model.base_url, otlp_endpoint=endpoint) as agent:
            accepted = []
            hole.settimeout(30)
            assert ask(agent).status_code == 200
            connection, _ = hole.accept()
            accepted.append(connection)
            began = time.monotonic()
            answers = [ask(agent) for _ in range(5)]
            while_exporting = time.monotonic() - began
            assert all(answer.status_code == 200 for answer in answers)
            assert agent.metric("agent_spans_dropped_total", agent="traced") == 0, (
                f"the export must still be hanging after {while_exporting:.1f} s"
            )
            for each in accepted:
                each.close()


def test_the_metrics_endpoint_tells_what_the_alerts_ask_for(model: RunningModel) -> None:
    from agent_runtime.api.operations import operations_app

    with serving_agent(AGENT, model_base_url=model.base_url) as agent:
        ask(agent)
        with serving(operations_app(agent.runtime.metrics.registry, lambda: False)) as url:
            text = httpx.get(f"{url}/metrics").text
            ready = httpx.get(f"{url}/readyz").status_code
            alive = eventually(lambda: httpx.get(f"{url}/healthz"), "health").status_code
    labels = 'agent="traced",model="scripted",tenant="acme"'
    assert f"agent_request_total{{{labels}}} 1.0" in text
    assert 'agent_request_duration_seconds_bucket{agent="traced",le="10.0"' in text
    assert 'agent_active_sessions{agent="traced"} 0.0' in text
    assert 'agent_tool_duration_seconds_count{agent="traced",outcome="ok",tool="calculate"}' in text
    assert (ready, alive) == (503, 200)
