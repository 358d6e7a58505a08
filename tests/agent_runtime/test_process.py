"""The program as a container runs it: checks, serves, drains, and keeps its imports small."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from agent_runtime.__main__ import main
from local.paths import CHECKOUT
from tests.harness.scripted_model import scripted_model
from tests.harness.workload import environment, eventually, free_port

pytestmark = pytest.mark.services

AGENT = """
apiVersion: kagent.dev/v1alpha1
kind: Agent
metadata: {name: helper}
spec: {model: {name: scripted}}
"""


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agent_runtime", *arguments],
        cwd=CHECKOUT,
        env=environment(**env),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@contextmanager
def served(tmp_path: Path, **env: str) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """The process, the agent's URL and that of its metrics."""
    document = tmp_path / "agent.yaml"
    document.write_text(AGENT)
    port, metrics_port = free_port(), free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "agent_runtime", "run", str(document)],
        cwd=CHECKOUT,
        env=environment(AGENT_PORT=str(port), AGENT_METRICS_PORT=str(metrics_port), **env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: _answers(process, f"{url}/.well-known/agent-card.json"), "the card")
        yield process, url, f"http://127.0.0.1:{metrics_port}"
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def _answers(process: subprocess.Popen[str], url: str) -> bool | None:
    assert process.poll() is None, process.stdout.read() if process.stdout else ""
    try:
        return httpx.get(url).status_code == 200 or None
    except httpx.TransportError:
        return None


def test_check_tells_every_mistake_in_a_line_and_exits_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "a.yaml"
    broken.write_text(AGENT.replace("model:", "modle:"))
    assert main(["check", str(broken), str(tmp_path / "missing.yaml")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert "did you mean 'model'?" in "".join(lines)
    assert "missing.yaml: can't be read: No such file" in lines[-1]


def test_check_says_when_all_is_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = tmp_path / "a.yaml"
    good.write_text(AGENT)
    assert main(["check", str(good)]) == 0
    assert capsys.readouterr().err == "ok: 1 agents, 0 tools\n"


def test_a_missing_document_and_bad_settings_are_a_line_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(tmp_path / "none.yaml")]) == 2
    monkeypatch.setenv("AGENT_PORT", "eighty")
    assert main(["run"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line[:10] for line in lines] == [str(tmp_path / "none.yaml")[:10], "AGENT_PORT"]


def test_sigterm_lets_the_running_request_end_and_takes_no_new_one(tmp_path: Path) -> None:
    slow = {"name": "slow", "reply": {"text": "at last", "delaySeconds": 2}}
    with (
        scripted_model([slow]) as model,
        served(tmp_path, AGENT_MODEL_BASE_URL=model.base_url) as (process, url, metrics),
    ):
        answers: list[httpx.Response] = []
        body = {"model": "helper", "messages": [{"role": "user", "content": "hi"}]}

        def ask() -> None:
            headers = {"x-tenant-id": "acme"}
            answers.append(
                httpx.post(f"{url}/v1/chat/completions", json=body, headers=headers, timeout=60)
            )

        asking = threading.Thread(target=ask)
        asking.start()
        active = 'agent_active_sessions{agent="helper"} 1.0'
        eventually(lambda: active in httpx.get(f"{metrics}/metrics").text or None, "the request")
        process.send_signal(signal.SIGTERM)
        eventually(lambda: httpx.get(f"{metrics}/readyz").status_code == 503 or None, "draining")
        asking.join(60)
        assert process.wait(timeout=60) == 0
        log = process.stdout.read() if process.stdout else ""
    assert answers[0].json()["choices"][0]["message"]["content"] == "at last"
    lines = [json.loads(line) for line in log.splitlines()]
    assert lines[-1]["message"] == "stopped"
    (request,) = [line for line in lines if line["message"] == "request"]
    assert (request["tenant"], request["outcome"]) == ("acme", "ok")
    assert request["trace_id"] == answers[0].headers["x-trace-id"]


def test_a_port_that_is_taken_is_told_and_ends_the_program(tmp_path: Path) -> None:
    with served(tmp_path) as (_, url, _metrics):
        port = url.rpartition(":")[2]
        document = str(tmp_path / "agent.yaml")
        done = run("run", document, AGENT_PORT=port, AGENT_METRICS_PORT=str(free_port()))
    assert done.returncode == 2
    assert done.stderr == f"can't listen on 127.0.0.1:{port}: Address already in use\n"
    assert done.stdout == ""


def test_an_agent_pays_only_for_what_it_uses(tmp_path: Path) -> None:
    """What an agent without tools has loaded when it begins to serve."""
    heavy = ("pymilvus", "grpc", "pydantic_monty", "a2a", "jsonschema", "joserfc", "pulumi")
    document = tmp_path / "agent.yaml"
    document.write_text(AGENT)
    program = f"""
import sys
from pathlib import Path
from agent_runtime.app import build_app
from agent_runtime.assembly import assemble
from agent_runtime.documents import read_agent
from agent_runtime.server import serve
from agent_runtime.settings import load_settings
runtime = assemble(load_settings(), *read_agent(Path({str(document)!r}), Path("/nowhere")))
build_app(runtime)
print([name for name in {heavy!r} if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=CHECKOUT,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
