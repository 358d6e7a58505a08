"""The embedding server with the real model, and the sample documents found with it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.harness.workload import Workload, eventually, workload

pytestmark = pytest.mark.services

KNOWLEDGE = Path("agents/samples/knowledge")
QUESTIONS = {
    "How do I restart the Nordlys Home?": "restart-and-reset.md",
    "How long is the warranty?": "warranty.md",
    "What does an amber light mean?": "status-light.md",
    "Which Wi-Fi networks does the battery support?": "wifi.md",
    "How much does Nordlys Care cost?": "billing.md",
    "Can I return my battery?": "returns.md",
    "How often should I clean the filter?": "maintenance.md",
    "What happens when the power goes out?": "power-cut.md",
    "Wie lösche ich mein Konto?": "konto-und-datenschutz.md",
    "When is support open?": "support-hours.md",
    "There is smoke coming from the battery, what should I do?": "safety.md",
    "Can it charge at night when electricity is cheap?": "smart-charging.md",
    "Where is the pairing code?": "getting-started.md",
}


@pytest.fixture(scope="module")
def server() -> Iterator[Workload]:
    with workload("embedding_server", "--served-name", "all-minilm-l6-v2", "minilm") as running:
        yield running


@pytest.fixture
def client(server: Workload) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none") as made:
        yield made


def similarity(first: list[float], second: list[float]) -> float:
    return sum(a * b for a, b in zip(first, second, strict=True))


def test_the_openai_client_gets_unit_vectors_in_the_order_of_its_texts(
    client: openai.OpenAI,
) -> None:
    texts = ["The battery restarts.", "Rebooting the battery", "Invoices come by post"]
    data = client.embeddings.create(model="minilm", input=texts).data
    assert [each.index for each in data] == [0, 1, 2]
    first, near, far = (each.embedding for each in data)
    assert len(first) == 384
    assert similarity(first, first) == pytest.approx(1, abs=1e-4)
    assert similarity(first, near) > 0.6 > 0.3 > similarity(first, far)


def test_a_text_alone_and_in_a_batch_gives_the_same_vector(client: openai.OpenAI) -> None:
    texts = ["short", "a much longer text that makes the batch pad the short one " * 5]
    batch = client.embeddings.create(model="minilm", input=texts).data[0].embedding
    alone = client.embeddings.create(model="minilm", input="short").data[0].embedding
    # int8 kernels quantize a batch as a whole, so the last digits depend on the neighbours.
    assert similarity(batch, alone) > 0.98


def test_each_question_finds_its_document_first(client: openai.OpenAI) -> None:
    files = sorted(KNOWLEDGE.glob("*.md"))
    texts = [file.read_text().split("---\n", 2)[2] for file in files]
    documents = client.embeddings.create(model="minilm", input=texts).data
    asked = client.embeddings.create(model="minilm", input=list(QUESTIONS)).data
    missed = {}
    for question, vector in zip(QUESTIONS, asked, strict=True):
        scores = [similarity(vector.embedding, each.embedding) for each in documents]
        best = files[scores.index(max(scores))].name
        if best != QUESTIONS[question]:
            missed[question] = best
    assert missed == {}


def test_what_it_can_t_do_is_refused_with_a_reason(server: Workload) -> None:
    for body, part in (
        ({"input": []}, "0 texts"),
        ({"input": "x", "dimensions": 1536}, "gives 384"),
        ({"input": 5}, "input"),
    ):
        answer = httpx.post(f"{server.url}/v1/embeddings", json=body)
        assert answer.status_code == 400
        assert part in answer.json()["error"]["message"]


def test_its_log_line_carries_the_trace(server: Workload) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    httpx.post(f"{server.url}/v1/embeddings", json={"input": "x"}, headers=headers)

    def logged() -> list[dict[str, Any]] | None:
        return [line for line in server.events("request") if line.get("trace_id") == trace] or None

    assert eventually(logged, "the request's log line")[-1]["texts"] == 1


def test_another_model_is_refused_in_one_line() -> None:
    refused = pytest.raises(AssertionError, match="serves all-minilm-l6-v2 only")
    with refused, workload("embedding_server", "--model", "bert"):
        pass
