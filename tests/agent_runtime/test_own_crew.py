"""Tenants' own CrewAI crews behind the same surfaces, in the environment that CrewAI wants."""

import subprocess
from pathlib import Path

import httpx
import pytest

from agent_runtime.agent.own_crew import load_crew
from agent_runtime.settings import SettingsError
from local.paths import CHECKOUT
from tests.agent_runtime.pods import pod
from tests.harness import crewai
from tests.harness.scripted_model import scripted_model
from tests.harness.workload import Workload, environment

AGENT = """
apiVersion: kagent.dev/v1alpha1
kind: Agent
metadata: {name: own}
spec:
  model: {name: scripted}
  framework: crewai
  entrypoint: %s
  memory: {type: redis, config: {host: 127.0.0.1, port: %d}}
"""
CREW = "tests.agent_runtime.sample_crew:crew"
RULES = [
    {"name": "drafts", "when": {"user": "Draft an answer"}, "reply": {"text": "a draft"}},
    {
        "name": "polishes",
        "when": {"user": "Polish"},
        "reply": {"text": "Polished, see https://rival.example/?d=secret"},
    },
]
HEADERS = {"x-tenant-id": "acme", "x-session-id": "c1"}


def started(python: Path, entrypoint: str, folder: Path) -> subprocess.CompletedProcess[str]:
    file = folder / "agent.yaml"
    file.write_text(AGENT % (entrypoint, 1))
    env = environment(PYTHONPATH=str(CHECKOUT), AGENT_MODEL_BASE_URL="http://127.0.0.1:9/v1")
    return subprocess.run(
        [python, "-m", "agent_runtime", "run", str(file)],
        cwd=CHECKOUT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


@pytest.mark.unit
def test_an_image_without_crewai_says_so_in_one_line() -> None:
    with pytest.raises(SettingsError) as refused:
        load_crew(CREW)
    (line,) = str(refused.value).splitlines()
    assert "this image has no CrewAI; build the variant with" in line


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_crew_works_on_runs_and_what_it_must_not_do_is_refused(
    valkey: Workload, password_file: Path, tmp_path: Path
) -> None:
    python = crewai.interpreter()
    with (
        scripted_model(RULES) as model,
        pod(
            AGENT % (CREW, valkey.port),
            tmp_path,
            python,
            300,  # seconds: CrewAI is imported for long, above all the first time
            PYTHONPATH=str(CHECKOUT),
            AGENT_MODEL_BASE_URL=model.base_url,
            AGENT_REDIS_PASSWORD_FILE=str(password_file),
            AGENT_AUTH="gateway",
        ) as running,
    ):
        for question in ("Where is it?", "And when?"):
            body = {"model": "own", "messages": [{"role": "user", "content": question}]}
            answer = httpx.post(
                f"{running.url}/v1/chat/completions", json=body, headers=HEADERS, timeout=120
            )
            assert answer.status_code == 200, answer.text
        said = answer.json()
    assert said["choices"][0]["message"]["content"] == "Polished, see (link removed)"
    assert said["usage"]["total_tokens"] > 0
    told = str(model.requests[2]["body"])
    assert "user: Where is it?" in told
    assert "And when?" in told
    for name, words in (("asking", "has human_input"), ("writer", "is a Agent, not a Crew")):
        refused = started(python, CREW.replace(":crew", f":{name}"), tmp_path)
        assert refused.returncode == 2
        assert words in refused.stderr
