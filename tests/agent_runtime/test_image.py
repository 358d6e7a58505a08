"""The image, as far as it can be judged without a container engine."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from local.paths import CHECKOUT
from tests.harness.own_environment import uv_or_skip

DOCKERFILE = CHECKOUT / "agent_runtime" / "Dockerfile"


def instructions() -> list[tuple[str, str]]:
    """(keyword, arguments) of each instruction, continuation lines joined."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    pairs = (line.strip().partition(" ") for line in lines if line.strip())
    return [(keyword.upper(), " ".join(rest.split())) for keyword, _, rest in pairs]


def last_stage() -> list[tuple[str, str]]:
    found = instructions()
    starts = [index for index, (keyword, _) in enumerate(found) if keyword == "FROM"]
    assert len(starts) > 1, "tools for building must stay behind in an earlier stage"
    return found[starts[-1] :]


@pytest.mark.unit
def test_the_image_runs_as_a_numbered_user_who_is_not_root() -> None:
    users = [rest for keyword, rest in last_stage() if keyword == "USER"]
    assert users
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1])


@pytest.mark.unit
def test_what_is_installed_is_what_is_locked_without_the_programs_groups() -> None:
    (sync,) = [rest for keyword, rest in instructions() if keyword == "RUN" and "uv sync" in rest]
    assert "--locked" in sync
    assert "--no-default-groups" in sync
    assert ("ARG", 'DEPENDENCY_GROUPS="runtime"') in instructions()
    assert 'for group in ${DEPENDENCY_GROUPS}; do set -- "$@" --group "$group"; done' in sync


def asked_of_uv(folder: Path, **arguments: str) -> list[str]:
    """What the builder's shell asks of uv, given these build arguments; uv only writes it down."""
    (step,) = [rest for keyword, rest in instructions() if keyword == "RUN" and "uv sync" in rest]
    told = folder / "told"
    uv = folder / "uv"
    uv.write_text(f'#!/bin/sh\necho "$@" >> {told}\n')
    uv.chmod(0o755)
    declared = dict(re.findall(r'^ARG (\w+)="(.*)"$', DOCKERFILE.read_text(), flags=re.MULTILINE))
    env = {
        "PATH": f"{folder}:/usr/bin:/bin",
        "UV_PROJECT_ENVIRONMENT": "/opt/venv",
        **declared,
        **arguments,
    }
    script = re.sub(r"--mount=\S+ ", "", step)
    subprocess.run(["/bin/sh", "-c", script], env=env, check=True)
    return told.read_text().splitlines()


@pytest.mark.unit
def test_a_variant_is_its_groups_or_the_very_packages_of_a_list(tmp_path: Path) -> None:
    for name in ("plain", "grpc", "crewai"):
        (tmp_path / name).mkdir()
    sync = "sync --locked --no-default-groups --no-install-project --group runtime"
    assert asked_of_uv(tmp_path / "plain") == [sync]
    both = asked_of_uv(tmp_path / "grpc", DEPENDENCY_GROUPS="runtime runtime-grpc")
    assert both == [f"{sync} --group runtime-grpc"]
    listed = asked_of_uv(tmp_path / "crewai", REQUIREMENTS="crewai-requirements.txt")
    assert listed == [
        "venv /opt/venv",
        "pip install --no-deps --only-binary :all: -r crewai-requirements.txt",
        "pip check",
    ]
    (copied, *_) = [rest.split() for keyword, rest in instructions() if keyword == "COPY"]
    assert "agent_runtime/crewai-requirements.txt" in copied


@pytest.mark.slow
@pytest.mark.services
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_every_package_of_the_crewai_variant_is_there_for_the_images_python(
    machine: str, tmp_path: Path
) -> None:
    uv = uv_or_skip()
    (version,) = re.findall(r"^ARG PYTHON_VERSION=(\S+)", DOCKERFILE.read_text(), re.MULTILINE)
    subprocess.run([uv, "venv", "-q", tmp_path / "venv"], check=True)
    target = ["--python-version", version, "--python-platform", f"{machine}-unknown-linux-gnu"]
    done = subprocess.run(
        [
            *(uv, "pip", "install", "--dry-run", "--python", tmp_path / "venv" / "bin" / "python"),
            *target,
            *("--no-deps", "--only-binary", ":all:"),
            *("-r", CHECKOUT / "agent_runtime" / "crewai-requirements.txt"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    assert "crewai==" in done.stderr


@pytest.mark.unit
def test_every_variant_is_made_of_locked_groups_without_pulumi() -> None:
    groups = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["dependency-groups"]
    variants = [name for name in groups if name == "runtime" or name.startswith("runtime-")]
    assert {"runtime", "runtime-grpc"} <= set(variants)
    for name in variants:
        assert not [each for each in groups[name] if "pulumi" in each]


def modules_of(program: str) -> set[str]:
    """The top-level modules that a new interpreter holds after a program."""
    told = "import sys; print(' '.join({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"{program}\n{told}"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.unit
def test_no_module_of_the_runtime_needs_what_the_image_lacks() -> None:
    """Every module is imported where Pulumi and the packages of other groups can't be."""
    others = "pulumi pulumi_aws pulumi_eks pulumi_kubernetes boto3 botocore local infra components"
    program = f"""
import importlib, pkgutil, sys
for name in {others.split()!r}:
    sys.modules[name] = None
import agent_runtime
for found in pkgutil.walk_packages(agent_runtime.__path__, "agent_runtime."):
    if not found.name.endswith("__main__"):
        importlib.import_module(found.name)
for name in {others.split()!r}:
    del sys.modules[name]
"""
    assert not modules_of(program) & set(others.split())


AGENT = """
apiVersion: kagent.dev/v1alpha1
kind: Agent
metadata: {name: plain}
spec:
  model: {name: m}
  tools: [{name: c, type: code}, {name: a, type: api, config: {endpoint: https://x.example/y}}]
"""


@pytest.mark.unit
def test_an_agent_without_documents_pays_for_no_vector_store() -> None:
    program = f"""
import asyncio
from agent_runtime.app import build_app
from agent_runtime.assembly import assemble
from agent_runtime.settings import Settings
from agents.document import load_documents, resolve_tools
(agent,) = load_documents({AGENT!r})
async def main():
    runtime = assemble(Settings(), agent, resolve_tools(agent, []))
    build_app(runtime)
    await runtime.warm()
    await runtime.close()
    runtime.tracing.shutdown()
asyncio.run(main())
"""
    heavy = {"pymilvus", "grpc", "pypdf", "pandas", "numpy", "mcp", "boto3", "openai"}
    assert not modules_of(program) & heavy


@pytest.mark.unit
def test_the_image_is_built_with_the_uv_that_the_checkout_uses() -> None:
    bootstrap = (CHECKOUT / "tools" / "bootstrap.sh").read_text()
    (version,) = re.findall(r"^UV_VERSION=(\S+)", bootstrap, flags=re.MULTILINE)
    assert ("ARG", f"UV_VERSION={version}") in instructions()


@pytest.mark.unit
def test_only_the_runtimes_packages_are_copied() -> None:
    sources = {rest.split()[0] for keyword, rest in instructions() if keyword == "COPY"}
    packages = {"agents", "inference", "agent_runtime"}
    assert sources == packages | {"pyproject.toml", "--from=build"}
    ignored = (CHECKOUT / "agent_runtime" / "Dockerfile.dockerignore").read_text().split()
    assert ignored[0] == "*"
    assert {line[1:] for line in ignored if line.startswith("!")} == packages | {
        "pyproject.toml",
        "uv.lock",
    }


@pytest.mark.unit
def test_the_image_writes_nothing_outside_of_tmp_and_starts_the_contracts_command() -> None:
    stage = dict(last_stage())
    variables = dict(re.findall(r"(\w+)=(\S+)", stage["ENV"]))
    assert variables["PYTHONDONTWRITEBYTECODE"] == "1"
    assert (variables["HOME"], stage["WORKDIR"]) == ("/tmp", "/tmp")
    assert stage["ENTRYPOINT"] == '["python", "-m", "agent_runtime"]'
    assert stage["CMD"] == '["run", "/etc/agent/agent.yaml"]'
    assert stage["EXPOSE"].split() == ["8080", "9090"]


@pytest.mark.unit
def test_the_runtime_group_names_no_pulumi_and_every_import_of_the_runtime() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    runtime = project["dependency-groups"]["runtime"]
    assert not [each for each in runtime if each.startswith("pulumi")]


@pytest.mark.slow
@pytest.mark.services
def test_the_images_environment_has_no_pulumi_and_serves_without_the_other_groups(
    tmp_path: Path,
) -> None:
    """The same `uv sync` as in the Dockerfile, into an empty folder, then the program in it."""
    uv = uv_or_skip()
    for name in ("pyproject.toml", "uv.lock"):
        shutil.copy(CHECKOUT / name, tmp_path / name)
    for package in ("agents", "inference", "agent_runtime"):
        shutil.copytree(CHECKOUT / package, tmp_path / package)
    sync = [uv, "sync", "--locked", "--no-default-groups", "--group", "runtime"]
    subprocess.run([*sync, "--no-install-project"], cwd=tmp_path, check=True, timeout=280)
    python = tmp_path / ".venv" / "bin" / "python"
    listed = subprocess.run(
        [uv, "pip", "list", "--python", str(python)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "pulumi" not in listed.stdout
    assert "langgraph" in listed.stdout
    (tmp_path / "agent.yaml").write_text(
        "apiVersion: kagent.dev/v1alpha1\nkind: Agent\nmetadata: {name: a}\n"
        "spec: {model: {name: m}, tools: [{name: c, type: code}]}\n"
    )
    program = (
        "from pathlib import Path; from agent_runtime.assembly import assemble;"
        "from agent_runtime.documents import read_agent; from agent_runtime.app import build_app;"
        "from agent_runtime.settings import Settings; import agent_runtime.api.a2a, pypdf, "
        "pymilvus, pydantic_monty, jsonschema, joserfc.jwt;"
        "build_app(assemble(Settings(), *read_agent(Path('agent.yaml'), Path('none'))));"
        "print('built')"
    )
    done = subprocess.run(
        [str(python), "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "built", done.stderr
