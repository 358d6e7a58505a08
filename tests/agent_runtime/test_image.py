"""The image, as far as it can be judged without a container engine."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from local.paths import CHECKOUT, Cache

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
    assert re.findall(r"--group (\S+)", sync) == ["runtime"]


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
    kept = sorted(Cache.default().root.glob("bin/uv/*/bin/uv"))
    uv = shutil.which("uv") or (str(kept[-1]) if kept else None)
    if uv is None:
        pytest.skip("uv is not on PATH")
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
        "from agent_runtime.settings import Settings; import agent_runtime.api.a2a_executor, "
        "pymilvus, pydantic_monty, jsonschema, joserfc.jwt;"
        "build_app(assemble(Settings(), *read_agent(Path('agent.yaml'), Path('none'))));"
        "print('built')"
    )
    done = subprocess.run(
        [str(python), "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "built", done.stderr
