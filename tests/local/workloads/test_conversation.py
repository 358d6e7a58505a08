"""The data plane without gateway and cluster: agent, model, embeddings, stores, traces, tickets."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.conversation import ask, follow
from local.paths import CHECKOUT, State
from local.report import UserError
from tests.harness.http_server import serving
from tests.harness.workload import Workload, environment, eventually, free_port, workload

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

SAMPLES = Path("agents/samples")
TOKEN = "ticket-token"
KIND = "content-type"
FORWARDED = (KIND, "traceparent", "authorization")


def splitter(models: str, embeddings: str, agent: str) -> Starlette:
    """What a gateway does at the least: paths to backends, and a tenant for the client's key."""

    async def forward(request: Request) -> Response:
        body = await request.body()
        headers = {name: request.headers[name] for name in FORWARDED if name in request.headers}
        backend = embeddings if request.url.path.endswith("/embeddings") else models
        if b"customer-support-agent" in body[:200]:
            backend, headers["x-tenant-id"] = agent, request.headers["authorization"].split()[1]
        async with httpx.AsyncClient(timeout=120) as client:
            url = f"{backend}{request.url.path}"
            answer = await client.post(url, content=body, headers=headers)
        return Response(answer.content, answer.status_code, media_type=answer.headers[KIND])

    return Starlette(routes=[Route("/{path:path}", forward, methods=["POST"])])


@contextmanager
def agent_process(port: int, env: Mapping[str, str]) -> Iterator[None]:
    """`python -m agent_runtime run` until the block ends."""
    log = Path(env["AGENT_DOCUMENT"]).with_name("agent.log")
    command = [sys.executable, "-m", "agent_runtime", "run", env["AGENT_DOCUMENT"]]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=CHECKOUT, env=environment(**env), stdout=output, stderr=output
        )

        def ready() -> bool | None:
            assert process.poll() is None, log.read_text()
            try:
                url = f"http://127.0.0.1:{port}/.well-known/agent-card.json"
                return httpx.get(url).status_code == 200 or None
            except httpx.TransportError:
                return None

        try:
            eventually(ready, "the agent's card")
            yield
        finally:
            process.terminate()
            code = process.wait(60)
    assert code == 0, log.read_text()


@dataclass(frozen=True)
class Plane:
    """The running parts."""

    gateway: str
    traces: str
    tickets: Workload
    parts: Mapping[str, Workload]
    folder: Path

    def state(self) -> State:
        """The parts' logs where the node agent would have put them."""
        state = State(self.folder / "state")
        state.make()
        for name, part in self.parts.items():
            (state.pod_log / f"{name}.log").write_text("\n".join(part.lines) + "\n")
        return state


def agent_document(folder: Path, tickets: str) -> Path:
    """The sample agent, with `tickets` in place of the cluster's ticket service."""
    document = (SAMPLES / "customer-support.yaml").read_text()
    changed = document.replace("http://ticketing-service:8080", tickets)
    assert changed != document
    file = folder / "agent.yaml"
    file.write_text(changed)
    return file


def ingest(env: Mapping[str, str]) -> None:
    """Load the sample documents."""
    command = [sys.executable, "-m", "agent_runtime", "ingest", "--collection", "support-docs"]
    subprocess.run(
        [*command, "--tenant", "demo", str(SAMPLES / "knowledge")],
        cwd=CHECKOUT,
        env=environment(**env),
        check=True,
        timeout=120,
    )


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    folder = tmp_path_factory.mktemp("plane")
    secret = folder / "secrets" / "ticketing-token"
    secret.mkdir(parents=True)
    for file, text in ((secret / "token", TOKEN), (folder / "password", "pw")):
        file.write_text(text)
    with ExitStack() as stack:

        def start(program: str, *arguments: object) -> Workload:
            return stack.enter_context(workload(program, *arguments))

        model = start("scripted_model", "--script", SAMPLES / "scripted-model.yaml")
        embedding = start("embedding_server")
        vectors = start("vector_store", "--data-dir", folder / "milvus")
        sessions = start(
            "session_store", "--password-file", folder / "password", "--data", folder / "valkey"
        )
        receiver = start("trace_receiver", "--data", folder / "traces")
        tickets = start("ticket_service", "--token-file", secret / "token")
        port = free_port()
        agent = f"http://127.0.0.1:{port}"
        gateway = stack.enter_context(serving(splitter(model.url, embedding.url, agent)))
        (folder / "key").write_text("sk-agents")
        env = {
            "AGENT_DOCUMENT": str(agent_document(folder, tickets.url)),
            "AGENT_PORT": str(port),
            "AGENT_METRICS_PORT": "0",
            "AGENT_MODEL_BASE_URL": f"{gateway}/v1",
            "AGENT_MODEL_API_KEY_FILE": str(folder / "key"),
            "AGENT_REDIS_HOST": "127.0.0.1",
            "AGENT_REDIS_PORT": str(sessions.port),
            "AGENT_REDIS_PASSWORD_FILE": str(folder / "password"),
            "AGENT_MILVUS_URL": vectors.url,
            "AGENT_OTLP_ENDPOINT": f"{receiver.url}/v1/traces",
            "AGENT_SECRETS_DIR": str(folder / "secrets"),
            "AGENT_ALLOWED_HOSTS": "127.0.0.1",
        }
        ingest(env)
        stack.enter_context(agent_process(port, env))
        logs = {
            "ai-inference_model_model": model,
            "ai-inference_embedding_model": embedding,
            "ai-data_milvus_milvus": vectors,
        }
        yield Plane(gateway, receiver.url, tickets, logs, folder)


def test_a_question_is_answered_from_its_document_and_can_be_followed(plane: Plane) -> None:
    answer = ask(plane.gateway, "demo", "How do I restart the Nordlys Home?")
    assert "hold the power button for 10 seconds" in " ".join(answer.text.split())
    assert answer.sources[0]["document"] == "restart-and-reset.md"
    assert [call["name"] for call in answer.tool_calls] == ["search-knowledge-base"]
    assert answer.degraded == []
    steps = follow(answer.trace_id, plane.state(), traces_url=plane.traces)
    assert [step.number for step in steps] == list(range(1, 16))
    # Nothing here writes a gateway's log, so all that only a gateway knows must be missing.
    assert [step.number for step in steps if not step.found] == [1, 2, 3, 4, 9, 14, 15]
    assert "5 hits in support_docs" in steps[7].evidence


def test_a_german_question_finds_the_german_document(plane: Plane) -> None:
    answer = ask(plane.gateway, "demo", "Wie lösche ich mein Konto?")
    assert answer.sources[0]["document"] == "konto-und-datenschutz.md"


def test_a_ticket_is_opened_in_the_trace_of_the_question(plane: Plane) -> None:
    question = "My battery shows a blinking red light. Please open a ticket."
    answer = ask(plane.gateway, "demo", question)
    headers = {"authorization": f"Bearer {TOKEN}"}
    kept = httpx.get(f"{plane.tickets.url}/api/tickets", headers=headers).json()
    assert kept[-1]["id"] in answer.text
    assert kept[-1]["trace_id"] == answer.trace_id
    assert kept[-1]["subject"] == question


def test_another_tenant_finds_nothing(plane: Plane) -> None:
    answer = ask(plane.gateway, "stranger", "How do I restart the Nordlys Home?")
    assert answer.sources == []
    assert "nothing" in answer.text


def test_a_failure_is_one_line_with_the_trace(plane: Plane) -> None:
    with pytest.raises(UserError, match=r"status 4\d\d: .*trace [0-9a-f]{32}"):
        ask(plane.gateway, "demo", "x" * 5_000_000)
    closed = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(UserError, match="can't be reached"):
        ask(closed, "demo", "hello")


def test_what_is_no_trace_id_is_refused() -> None:
    with pytest.raises(UserError, match="32 hexadecimal digits"):
        follow("../x", State(Path(os.devnull)), traces_url="http://127.0.0.1:1")
