"""The OpenAPI document, and a served agent held to it by schemathesis, unmodified."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.agent import RunningAgent, serving_agent
from tests.harness.scripted_model import scripted_model
from tests.harness.workload import Workload
from tools.generate_openapi import TARGET, generated

AGENT = """
apiVersion: kagent.dev/v1alpha1
kind: Agent
metadata: {name: helper}
spec:
  model: {name: scripted}
  memory: {type: redis, config: {host: 127.0.0.1, port: %d}}
  tools: [{name: ask-boss, type: human, config: {prompt: "Is this fine?"}}]
"""
RULES = [
    {
        "name": "asks",
        "when": {"user": "boss", "after": "none"},
        "reply": {"toolCalls": [{"name": "ask-boss", "arguments": {"question": "Really?"}}]},
    },
    {"name": "any", "reply": {"text": "Hello"}},
]
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance,response_headers_conformance"
)


@pytest.fixture(scope="module")
def agent(valkey: Workload, password_file: Path) -> Iterator[RunningAgent]:
    with (
        scripted_model(RULES) as model,
        serving_agent(
            AGENT % valkey.port, model_base_url=model.base_url, redis_password_file=password_file
        ) as running,
    ):
        yield running


def tried(agent: RunningAgent, folder: Path, *, phases: str, examples: int) -> None:
    """Run schemathesis with a fixed seed; its report is the failure's message."""
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{agent.url}/openapi.json"),
        *("--checks", CHECKS, "--max-examples", str(examples), "--seed", "7"),
        *("--header", "x-tenant-id: acme", "--header", "x-user-id: kim"),
        *("--phases", phases, "--request-timeout", "30"),
        *("--suppress-health-check", "all", "--no-color"),
    ]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


@pytest.mark.services
def test_no_request_that_the_document_allows_or_forbids_breaks_the_agent(
    agent: RunningAgent, tmp_path: Path
) -> None:
    tried(agent, tmp_path, phases="fuzzing", examples=3)


@pytest.mark.services
@pytest.mark.slow
def test_many_requests_do_not_break_the_agent_either(agent: RunningAgent, tmp_path: Path) -> None:
    tried(agent, tmp_path, phases="coverage,fuzzing", examples=40)


@pytest.mark.unit
def test_the_committed_document_is_the_one_that_is_served() -> None:
    assert TARGET.read_text(encoding="utf-8") == generated(), "run `make docs`"
