import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.paths import CHECKOUT, Cache
from local.report import Progress, UserError
from local.toolchain import go
from local.toolchain.build import downloading
from local.toolchain.provision import provide
from local.toolchain.recipes import GoBuild
from tests.harness.go_proxy import GoProxy, go_proxy
from tests.harness.processes import in_session, wait_until

pytestmark = pytest.mark.services

PROVIDE = """
import sys
from pathlib import Path
from local.paths import Cache
from local.report import Progress, UserError
from local.toolchain.recipes import GoBuild
from local.toolchain.provision import provide
module, cache = Path(sys.argv[1]), Cache(Path(sys.argv[2]))
recipe = GoBuild("program", "1.0.0", module, ("program",), (".",), disk_mib=30)
try:
    with Progress(as_json=True) as progress:
        print(provide(recipe, cache, progress)["program"])
except UserError as problem:
    sys.exit(f"one line: {problem}")
"""


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[GoProxy]:
    """A registry of our own, an empty module cache, and a Go that exists."""
    toolchain = go.find((1, 25), Cache.default(), Progress(as_json=True))
    with go_proxy() as served:
        monkeypatch.setenv("PATH", f"{toolchain.program.parent}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("GOPROXY", served.url)
        monkeypatch.setenv("GOMODCACHE", str(tmp_path / "modules"))
        yield served


@pytest.fixture
def recipe(proxy: GoProxy, tmp_path: Path) -> GoBuild:
    module = proxy.write_program(tmp_path / "program")
    return GoBuild("program", "1.0.0", module, ("program",), (".",), disk_mib=30)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def run(program: Path) -> str:
    return subprocess.run([program], capture_output=True, text=True, check=True).stdout


def test_a_program_is_built_once_and_then_found(
    recipe: GoBuild, cache: Cache, proxy: GoProxy
) -> None:
    progress = Progress(as_json=True)
    program = provide(recipe, cache, progress)["program"]
    assert run(program) == "good day"
    proxy.fault = "cut"
    assert provide(recipe, cache, progress)["program"] == program
    assert [step.name for step in progress.steps] == ["build program 1.0.0 from source"]


def test_a_download_cut_in_the_middle_is_one_line_and_the_next_run_heals(
    recipe: GoBuild, cache: Cache, proxy: GoProxy
) -> None:
    proxy.fault = "cut"
    with pytest.raises(UserError, match=r"could not be downloaded.*GOPROXY") as refused:
        provide(recipe, cache, Progress(as_json=True))
    assert len(str(refused.value).splitlines()) == 1
    assert not list(cache.bin.glob(".making-*"))
    proxy.fault = "none"
    assert run(provide(recipe, cache, Progress(as_json=True))["program"]) == "good day"


def test_a_registry_that_gives_other_bytes_is_refused(
    recipe: GoBuild, cache: Cache, proxy: GoProxy
) -> None:
    proxy.fault = "altered"
    with pytest.raises(UserError, match=r"differs from its checksum in go\.sum"):
        provide(recipe, cache, Progress(as_json=True))
    assert not cache.bin.joinpath("program").exists()


def test_a_half_built_cache_is_said_and_made_anew(
    recipe: GoBuild, cache: Cache, capsys: pytest.CaptureFixture[str]
) -> None:
    program = provide(recipe, cache, Progress(as_json=True))["program"]
    os.truncate(program, 1000)
    assert run(provide(recipe, cache, Progress(as_json=True))["program"]) == "good day"
    assert "in the cache is damaged: made anew" in capsys.readouterr().err


def start(recipe: GoBuild, cache: Cache) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", PROVIDE, str(recipe.module), str(cache.root)],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_two_checkouts_at_once_build_one_time(recipe: GoBuild, cache: Cache) -> None:
    both = [start(recipe, cache), start(recipe, cache)]
    outputs = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0]
    started = [
        json.loads(line)["step"]
        for _, errors in outputs
        for line in errors.splitlines()
        if '"started"' in line
    ]
    assert started == ["build program 1.0.0 from source"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_build_leaves_no_process_and_the_next_one_works(
    number: signal.Signals, recipe: GoBuild, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An empty compiler cache makes the build long enough to be interrupted for certain.
    with monkeypatch.context() as patched:
        patched.setenv("GOCACHE", str(cache.root / "empty"))
        process = start(recipe, cache)
    builders: list[int] = []

    def compiling() -> bool:
        builders[:] = children_of(process.pid)
        return any(name == "compile" for pid in builders for name in names_in_session(pid))

    try:
        wait_until(compiling, what="the compiler ran")
        os.kill(process.pid, number)
        process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    wait_until(lambda: not any(map(in_session, builders)), what="no builder is left")
    assert run(provide(recipe, cache, Progress(as_json=True))["program"]) == "good day"
    assert not list(cache.bin.glob(".making-*"))


def test_modules_come_beside_another_build(
    recipe: GoBuild, proxy: GoProxy, cache: Cache, tmp_path: Path
) -> None:
    source = tmp_path / "modules" / "example.test" / "greeting@v1.0.0" / "greeting.go"
    with downloading([recipe], cache):
        wait_until(source.exists, what="the module came")
    # what is compiled now was fetched before
    proxy.fault = "cut"
    assert run(provide(recipe, cache, Progress(as_json=True))["program"]) == "good day"


def children_of(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in children.read_text().split()] if children.exists() else []


def names_in_session(leader: int) -> list[str]:
    names = []
    for pid in in_session(leader):
        try:
            names.append(Path(f"/proc/{pid}/comm").read_text().strip())
        except OSError:
            continue
    return names
