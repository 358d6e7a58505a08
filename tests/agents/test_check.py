"""`check` tells every mistake of every file at its place."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

AGENT = """apiVersion: kagent.dev/v1alpha1
kind: Agent
metadata: {name: a}
spec:
  model: {name: m}
  tools:
    - serch
    - {name: t, type: api, config: {endpoint: "https://x.example"},
       parameters: [{name: p, schema: {maximum: many}}]}
"""
TOOL = """apiVersion: kagent.dev/v1alpha1
kind: Tool
metadata: {name: search}
spec: {type: code}
---
apiVersion: kagent.dev/v1alpha1
kind: Tool
metadata: {name: search}
spec: {type: openapi, config: {inline: {openapi: 3.1.0}, operations: [getIt]}}
---
kind: Tol
---
apiVersion: kagent.dev/v1alpha1
kind: Tool
metadata: {name: third}
spec: {type: code, config: {timeout: soon}}
"""


def check(*files: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "agent_runtime", "check", *(str(each) for each in files)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_every_mistake_of_every_file_stands_at_its_place(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(AGENT)
    (tmp_path / "t.yaml").write_text(TOOL)
    done = check(tmp_path / "a.yaml", tmp_path / "t.yaml", tmp_path / "gone.yaml")
    said = done.stderr.replace(f"{tmp_path}/", "").splitlines()
    assert done.returncode == 2
    places = {line.split(": ")[0]: line for line in said}
    assert "did you mean 'search'" in places["a.yaml:7:7"]
    assert "its schema is none" in places["a.yaml:8:7"]
    assert "stands in t.yaml:3 already" in places["t.yaml:8:12"]
    assert "no operation 'getIt'" in places["t.yaml:9:1"]
    assert "'Tol' is not known; allowed: Agent, Tool" in places["t.yaml:11:1"]
    assert "'soon' does not match" in places["t.yaml:16:29"]
    assert "can't be read" in places["gone.yaml"]
    assert len(said) == 7


def test_documents_without_a_mistake_are_counted(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(TOOL.partition("---")[0])
    done = check(tmp_path / "t.yaml")
    assert (done.returncode, done.stderr) == (0, "ok: 0 agents, 1 tools\n")
