"""The fifteen steps from evidence alone: nothing is claimed that no part wrote."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from local.data_flow import Evidence, read_evidence, steps_of, steps_table

pytestmark = pytest.mark.unit

TRACE = "0af7651916cd43dd8448eb211c80319c"
CLIENT = {
    "trace_id": TRACE,
    "method": "POST",
    "path": "/v1/chat/completions",
    "model": "customer-support-agent",
    "cluster": "ai-agents/customer-support-agent:8080",
    "upstream": "127.0.0.1:8080",
    "tenant": "demo",
    "status": 200,
    "flags": "-",
    "duration_ms": 5,
}
MODEL = CLIENT | {"cluster": "ai-inference/gemma:8000", "model": "gemma", "tenant": "platform"}


def span(operation: str, **attributes: str) -> dict[str, Any]:
    about = {"gen_ai.operation.name": operation, **attributes}
    return {"attributes": about, "service": "agent", "status": "ok", "duration_ms": 1.0}


WHOLE = Evidence(
    gateway=[MODEL, CLIENT],
    models=[{"texts": 1, "model": "minilm"}, {"finish": "stop", "prompt_tokens": 5}],
    store=[{"method": "Search", "collection": "docs", "hits": 2, "code": 0}],
    spans=[
        span("invoke_agent"),
        span("execute_tool", **{"langfuse.observation.type": "retriever"}),
        span("embeddings"),
        span("chat", **{"gen_ai.response.model": "gemma"}),
    ],
)


def missing(evidence: Evidence) -> list[int]:
    return [step.number for step in steps_of(evidence) if not step.found]


def test_whole_evidence_shows_all_steps_and_none_shows_none() -> None:
    assert missing(WHOLE) == []
    assert missing(Evidence()) == list(range(1, 16))


@pytest.mark.parametrize(
    ("change", "steps"),
    [
        ({"status": 401, "tenant": None, "cluster": None}, [2, 3]),
        ({"status": 403, "cluster": None}, [3]),
    ],
)
def test_a_refused_request_goes_no_further_than_the_gateway(
    change: dict[str, Any], steps: list[int]
) -> None:
    absent = missing(Evidence(gateway=[CLIENT | change]))
    assert 1 not in absent
    assert set(steps) | {4, 5, 9, 13} <= set(absent)


def test_a_client_that_hung_up_did_not_get_the_response() -> None:
    gone = Evidence(gateway=[CLIENT | {"flags": "DC"}], spans=WHOLE.spans)
    assert 15 in missing(gone)


def test_a_failed_search_is_no_search() -> None:
    assert 8 in missing(Evidence(store=[WHOLE.store[0] | {"code": 1}]))


def test_only_lines_whose_trace_id_is_the_one_asked_for_count(tmp_path: Path) -> None:
    other = {**CLIENT, "trace_id": "f" * 32, "path": f"/v1/{TRACE}"}
    lines = [json.dumps(CLIENT), json.dumps(other), f"no json {TRACE}", f'["{TRACE}"]']
    (tmp_path / "ai-gateway_pod_envoy.log").write_text("\n".join(lines))
    (tmp_path / "ai-agents_pod_agent.log").write_text(json.dumps(CLIENT))
    evidence = read_evidence(TRACE, tmp_path, [])
    assert [line["path"] for line in evidence.gateway] == ["/v1/chat/completions"]
    assert (evidence.models, evidence.store) == ([], [])


def test_foreign_text_can_t_style_or_rewrite_the_table() -> None:
    attack = "[red]x[/red]\x1b[2J"
    screen = io.StringIO()
    console = Console(width=200, file=screen)
    console.print(steps_table(steps_of(Evidence(gateway=[CLIENT | {"model": attack}]))))
    text = screen.getvalue()
    assert "[red]x[/red]" in text
    assert "\x1b" not in text
