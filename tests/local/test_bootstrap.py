import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from local.paths import CHECKOUT
from tests.harness.processes import in_session, is_running, wait_until

pytestmark = pytest.mark.services

BASICS = (
    *("sh", "cat", "sha256sum", "dirname", "sed", "mktemp", "rm", "mv", "cp", "grep", "tail"),
    *("df", "awk", "mkdir", "sleep", "tr"),
)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """As much of a checkout as the script reads."""
    folder = tmp_path / "checkout"
    (folder / "tools").mkdir(parents=True)
    for name in ("pyproject.toml", "uv.lock", "tools/bootstrap.sh"):
        shutil.copy(CHECKOUT / name, folder / name)
    return folder


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """A PATH with what every Linux has, and no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in BASICS:
        found = shutil.which(name)
        assert found, name
        (folder / name).symlink_to(found)
    return folder


def environment(tmp_path: Path, path: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in ("PIP_CERT", "LANG")}
    return kept | {"PATH": str(path), "HOME": str(tmp_path / "home"), **more}


def bootstrap(
    checkout: Path, env: Mapping[str, str], *arguments: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [shutil.which("sh") or "/bin/sh", "tools/bootstrap.sh", *arguments],
        cwd=checkout,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


def add(bare_path: Path, name: str, script: str) -> None:
    (bare_path / name).write_text(f"#!/bin/sh\n{script}\n")
    (bare_path / name).chmod(0o755)


def test_no_python_is_one_line_with_the_way_out(
    checkout: Path, bare_path: Path, tmp_path: Path
) -> None:
    # a pyenv shim of a version that is not installed looks like this
    add(bare_path, "python3.12", "echo 'pyenv: python3.12: command not found' >&2; exit 127")
    done = bootstrap(checkout, environment(tmp_path, bare_path))
    assert done.returncode == 1
    assert "no Python 3.11, 3.12 or 3.13 on PATH that runs" in done.stderr
    assert "apt-get install" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (checkout / ".venv").exists()


@pytest.mark.slow
def test_no_registry_is_one_line_and_leaves_nothing(
    checkout: Path, bare_path: Path, tmp_path: Path
) -> None:
    add_python(bare_path)
    closed = "http://127.0.0.1:9/simple"
    env = environment(tmp_path, bare_path, PIP_INDEX_URL=closed, PIP_RETRIES="0")
    done = bootstrap(checkout, env)
    assert done.returncode == 1
    said = [line for line in done.stderr.splitlines() if "getting uv 0" not in line]
    assert len(said) == 1
    assert "the package registry could not be reached while getting uv" in said[0]
    assert not (checkout / ".venv").exists()
    assert not list((tmp_path / "home").rglob("uv"))


def add_python(bare_path: Path) -> None:
    script = "import sys; print(sys._base_executable)"
    base = subprocess.check_output([CHECKOUT / ".venv/bin/python", "-c", script], text=True)
    add(bare_path, "python3", f'exec {base.strip()} "$@"')


def add_uv(bare_path: Path, script: str) -> None:
    add(bare_path, "uv", f'[ "$1" = --version ] && echo "uv 0.99.0 (x)" && exit\n{script}')


def test_nothing_is_run_when_nothing_changed(
    checkout: Path, bare_path: Path, tmp_path: Path
) -> None:
    add_python(bare_path)
    add_uv(
        bare_path,
        'mkdir -p "$UV_PROJECT_ENVIRONMENT/bin"; echo run >> "$UV_PROJECT_ENVIRONMENT/runs"\n'
        'ln -sf "$(command -v python3)" "$UV_PROJECT_ENVIRONMENT/bin/python"',
    )
    env = environment(tmp_path, bare_path) | {"PATH": f"{bare_path}:/usr/bin:/bin"}
    runs = checkout / ".venv" / "runs"
    for _ in range(2):
        done = bootstrap(checkout, env)
        assert (done.returncode, done.stderr) == (0, "")
    assert runs.read_text() == "run\n"
    (checkout / "uv.lock").write_text("changed\n")
    assert bootstrap(checkout, env).returncode == 0
    assert runs.read_text() == "run\nrun\n"
    # a moved checkout has scripts that name the old place
    moved = checkout.rename(tmp_path / "moved")
    assert bootstrap(moved, env).returncode == 0
    assert (moved / ".venv" / "runs").read_text() == "run\n"


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        ("error: No space left on device (os error 28)", "the disk is full"),
        ("error: Failed to fetch: `http://h/simple/rich/`", "registry could not be reached"),
        ("error: Hash mismatch for `rich==15.0`", "another file than the pinned one: refused"),
        ("The lockfile at `uv.lock` needs to be updated", "run `uv lock`"),
        ("error: something new", "something new"),
    ],
)
def test_each_failure_of_uv_is_one_line(
    says: str, expected: str, checkout: Path, bare_path: Path, tmp_path: Path
) -> None:
    add_python(bare_path)
    add_uv(bare_path, f"echo 'Resolved 10 packages'; echo '{says}'; exit 2")
    env = environment(tmp_path, bare_path) | {"PATH": f"{bare_path}:/usr/bin:/bin"}
    done = bootstrap(checkout, env)
    assert done.returncode == 1
    assert expected in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (checkout / ".venv" / ".bootstrap").exists()


def add_builder(checkout: Path, pid_file: Path) -> None:
    """In place of the tools' builds: one that only says that it runs, and would go on for long."""
    folder = checkout / "local" / "toolchain"
    folder.mkdir(parents=True)
    script = (
        f"import os, pathlib, time\npathlib.Path({str(pid_file)!r}).write_text(str(os.getpid()))"
    )
    (folder / "ahead.py").write_text(f"{script}\ntime.sleep(600)\n")


@pytest.mark.parametrize(("then", "code"), [("exit 0", 0), ("echo 'error: new'; exit 2", 1)])
def test_tools_begun_beside_the_environment_end_with_it(
    then: str, code: int, checkout: Path, bare_path: Path, tmp_path: Path
) -> None:
    add_python(bare_path)
    pid_file = tmp_path / "pid"
    add_builder(checkout, pid_file)
    made = '[ "$1" = sync ] && mkdir -p "$UV_PROJECT_ENVIRONMENT/bin"'
    made += ' && ln -sf "$(command -v python3)" "$UV_PROJECT_ENVIRONMENT/bin/python"'
    add_uv(bare_path, f"{made}\nwhile [ ! -s {pid_file} ]; do sleep 0.05; done; {then}")
    env = environment(tmp_path, bare_path) | {"PATH": f"{bare_path}:/usr/bin:/bin"}
    assert bootstrap(checkout, env, "tools").returncode == code
    assert not is_running(int(pid_file.read_text()))
    # an environment that is there needs no builds beside it
    pid_file.unlink()
    if code == 0:
        assert bootstrap(checkout, env, "tools").returncode == 0
        assert not pid_file.exists()


def test_the_builds_need_nothing_but_python() -> None:
    script = (
        "import local.toolchain.ahead; from local.report import Progress; Progress(as_json=True)"
    )
    # without site-packages
    bare = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.append('.'); {script}"]
    subprocess.run(bare, cwd=CHECKOUT, check=True)


def test_ctrl_c_ends_what_it_started_and_the_next_run_goes_on(
    checkout: Path, bare_path: Path, tmp_path: Path
) -> None:
    add_python(bare_path)
    add_builder(checkout, tmp_path / "started")
    add_uv(bare_path, "exec sleep 600")
    env = environment(tmp_path, bare_path) | {"PATH": f"{bare_path}:/usr/bin:/bin"}
    process = subprocess.Popen(
        ["/bin/sh", "tools/bootstrap.sh", "tools"],
        cwd=checkout,
        env=env,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # a runner in the background ignores SIGINT, and a shell can't trap what it inherited so
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    wait_until((tmp_path / "started").exists, what="uv was started")
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted; run it again" in errors
    assert not in_session(process.pid)
    add_uv(bare_path, "exit 0")
    assert "Traceback" not in bootstrap(checkout, env).stderr
