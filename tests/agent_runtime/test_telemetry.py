"""Spans on the wire: names, tenants, content by rule, and a receiver that is no help at all."""

import gzip
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.trace import Span
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agent_runtime.settings import Settings, SettingsError, load_settings
from agent_runtime.telemetry import names, span_queue
from agent_runtime.telemetry.metrics import MAX_TENANTS, Metrics
from agent_runtime.telemetry.redaction import private, redacted
from agent_runtime.telemetry.tracing import Tracing
from local.workloads.trace_receiver import build_app
from local.workloads.trace_store import TraceStore
from tests.harness.http_server import serving
from tests.harness.workload import free_port

SHARED = {
    names.AGENT_NAME: "helper",
    names.CONVERSATION: "session-1",
    names.SESSION: "session-1",
    names.TASK: "run-1",
    names.TENANT: "acme",
    names.USER: "ada",
}


@contextmanager
def tracing(endpoint: str | None, **more: Any) -> Iterator[tuple[Tracing, Metrics]]:
    metrics = Metrics("helper")
    settings = Settings(otlp_endpoint=endpoint, **more)
    made = Tracing(settings, "helper", "ai-agents", metrics.spans_dropped.labels("helper"))
    try:
        yield made, metrics
    finally:
        made.shutdown()


def dropped(metrics: Metrics) -> float:
    found = metrics.registry.get_sample_value("agent_spans_dropped_total", {"agent": "helper"})
    return found or 0.0


@pytest.fixture
def receiver() -> Iterator[str]:
    with serving(build_app(TraceStore(None, max_traces=100))) as url:
        yield url


@contextmanager
def conversation(made: Tracing, tenant: str = "acme") -> Iterator[Span]:
    """One request with one call of the model."""
    with (
        made.request({}, {**SHARED, names.TENANT: tenant}),
        made.span("invoke_agent helper", "invoke_agent", {}),
        made.span("chat m", "chat", {names.INPUT_TOKENS: 12}) as chat,
    ):
        yield chat


def spans(receiver: str, trace_id: int) -> list[dict[str, Any]]:
    found = httpx.get(f"{receiver}/traces/{trace_id:032x}").json()
    waiting, ordered = list(found["roots"]), []
    while waiting:
        ordered.append(waiting.pop(0))
        waiting += ordered[-1]["children"]
    return ordered


@pytest.mark.services
def test_every_span_says_whose_it_is_in_all_three_vocabularies(receiver: str) -> None:
    with tracing(f"{receiver}/v1/traces") as (made, metrics):
        with conversation(made) as chat:
            trace_id = chat.get_span_context().trace_id
        made.flush()
        found = spans(receiver, trace_id)
    assert [span["name"] for span in found] == ["invoke_agent helper", "chat m"]
    for span in found:
        has = span["attributes"]
        assert has["langfuse.observation.metadata.tenant"] == "acme"
        assert has["session.id"] == has["gen_ai.conversation.id"] == "session-1"
        assert has["kagent.user_id"] == has["user.id"] == "ada"
        assert has["gen_ai.task.id"] == "run-1"
        assert has["gen_ai.agent.name"] == has["gen_ai.agent.id"] == "helper"
    with_usage = [
        span["name"] for span in found if "gen_ai.usage.input_tokens" in span["attributes"]
    ]
    assert with_usage == ["chat m"], "on any other span LangFuse would count it twice"
    assert dropped(metrics) == 0


@pytest.mark.services
def test_content_follows_the_tenants_rule_and_credentials_never_leave(receiver: str) -> None:
    said = "mail ada@example.com, card 4111 1111 1111 1111, key sk-abcdefghijkl"
    rules = {"plain": "full", "shy": "off"}
    texts = {}
    with tracing(
        f"{receiver}/v1/traces", trace_content="redacted", trace_content_tenants=rules
    ) as (made, _):
        for tenant in ("plain", "shy", "acme"):
            with conversation(made, tenant) as chat:
                made.content(chat, given=[{"role": "user", "content": said}], result="fine")
                trace_id = chat.get_span_context().trace_id
            made.flush()
            texts[tenant] = json.dumps(spans(receiver, trace_id))
    assert "ada@example.com" in texts["plain"]
    assert "4111 1111" in texts["plain"]
    assert "fine" not in texts["shy"]
    assert "mail [email], card [number], key [redacted]" in texts["acme"]
    assert not any("sk-abcdefghijkl" in text for text in texts.values())


@pytest.mark.services
def test_langfuse_gets_its_key_and_its_version_in_gzip(tmp_path: Path) -> None:
    got: list[tuple[dict[str, str], bytes]] = []

    async def take(request: Request) -> Response:
        got.append((dict(request.headers), await request.body()))
        return Response()

    path = "/api/public/otel/v1/traces"
    headers = tmp_path / "headers"
    headers.write_text("Authorization=Basic cGs6c2s=\n")
    with (
        serving(Starlette(routes=[Route(path, take, methods=["POST"])])) as url,
        tracing(f"{url}{path}", otlp_headers_file=headers) as (made, _),
        conversation(made),
    ):
        pass
    sent, body = got[0]
    assert sent["authorization"] == "Basic cGs6c2s="
    assert sent["x-langfuse-ingestion-version"] == "4"
    assert sent["content-encoding"] == "gzip"
    assert b"chat m" in gzip.decompress(body)


@contextmanager
def black_hole() -> Iterator[str]:
    """Takes connections and never answers one."""
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen(64)
        yield f"http://127.0.0.1:{hole.getsockname()[1]}/v1/traces"


@pytest.mark.services
def test_what_a_full_queue_cannot_hold_is_counted_to_the_last_span(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(span_queue, "SHUTDOWN_SECONDS", 0.2)
    number = 4000
    with black_hole() as endpoint, tracing(endpoint) as (made, metrics):
        for _ in range(number):
            with made.span("chat m", "chat", {}):
                pass
        least = number - span_queue.QUEUE_SIZE - span_queue.BATCH_SIZE
        assert least <= dropped(metrics) <= number - span_queue.QUEUE_SIZE
        made.shutdown()
        assert dropped(metrics) >= number - span_queue.BATCH_SIZE


@pytest.mark.services
def test_a_span_after_the_end_is_counted_too() -> None:
    with tracing(f"http://127.0.0.1:{free_port()}/v1/traces") as (made, metrics):
        made.shutdown()
        with made.span("late", "chat", {}):
            pass
        assert dropped(metrics) == 1


@pytest.mark.services
def test_threads_do_not_lose_spans(receiver: str) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    with tracing(f"{receiver}/v1/traces") as (made, metrics):

        def work() -> None:
            with made.request({"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}, SHARED):
                for _ in range(100):
                    with made.span("chat m", "chat", {}):
                        pass

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        made.flush()
        assert dropped(metrics) == 0
        assert len(spans(receiver, int(trace, 16))) == 800


@pytest.mark.unit
def test_the_architectures_numbers_have_their_names_and_labels() -> None:
    metrics = Metrics("helper")
    labels = {
        family.name: sorted(getattr(metrics, name)._labelnames)
        for name in vars(metrics)
        if hasattr(getattr(metrics, name), "_labelnames")
        for family in getattr(metrics, name).describe()
    }
    shared = ["agent", "model", "tenant"]
    assert labels["agent_request_duration_seconds"] == shared
    assert labels["agent_request"] == shared
    assert labels["agent_request_errors"] == shared
    assert labels["agent_active_sessions"] == ["agent"]
    assert labels["agent_llm_tokens"] == ["agent", "direction", "model", "tenant"]
    assert labels["agent_llm_cost_usd"] == shared
    assert labels["agent_queue_wait_seconds"] == ["agent"]
    assert labels["agent_runs"] == ["agent", "state"]
    for name in ("agent_retries", "agent_fallback", "agent_spans_dropped"):
        assert "agent" in labels[name]
    assert "tool" in labels["agent_tool_duration_seconds"]


@pytest.mark.unit
def test_a_flood_of_tenants_does_not_become_a_flood_of_series() -> None:
    metrics = Metrics("helper")
    values = {metrics.tenant(f"tenant-{number}") for number in range(MAX_TENANTS + 50)}
    assert len(values) == MAX_TENANTS + 1
    assert metrics.tenant("tenant-0") == "tenant-0"
    assert isinstance(metrics.registry, CollectorRegistry)


@pytest.mark.unit
@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("write to ada.l+x@mail.example.com!", "write to [email]!"),
        ("call +47 912 34 567", "call [number]"),
        ("card 4111-1111-1111-1111", "card [number]"),
        ("room 1234, score 0.123456789012", "room 1234, score 0.123456789012"),
        ("on 2026-11-22T21:42:00", "on 2026-11-22T21:42:00"),
    ],
)
def test_what_may_name_a_person_is_replaced(text: str, clean: str) -> None:
    assert private(text) == clean
    assert redacted(text) == text


@pytest.mark.unit
@pytest.mark.parametrize(
    "secret",
    [
        "ghp_abcdefghijklmnop1234",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY-----",
        "Basic cGstbGYtMTIzNDU2Nzg6c2s=",
        '"client_secret": "abcd1234efgh"',
        "api_key=abcdef123456",
    ],
)
def test_more_kinds_of_credentials_are_replaced(secret: str) -> None:
    clean = redacted(f"before {secret} after")
    assert "[redacted]" in clean
    assert not any(part in clean for part in ("abcd", "MIIabc", "cGst"))
    assert clean.startswith("before ")
    assert clean.endswith(" after")


@pytest.mark.unit
def test_tenant_rules_are_read_from_one_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_TRACE_CONTENT_TENANTS", "acme=full, rival=off")
    assert load_settings().trace_content_tenants == {"acme": "full", "rival": "off"}
    monkeypatch.setenv("AGENT_TRACE_CONTENT_TENANTS", "acme=everything")
    with pytest.raises(SettingsError, match="AGENT_TRACE_CONTENT_TENANTS"):
        load_settings()
