"""What shares a server runs on one worker: else each of them makes every server again."""

import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

TWO_GROUPS = """
import os
import pytest

@pytest.mark.parametrize(
    "n", [pytest.param(n, marks=pytest.mark.xdist_group("ab"[n % 2])) for n in range(8)]
)
def test_where(n):
    with open("workers", "a") as file:
        file.write(f"{n % 2} {os.environ['PYTEST_XDIST_WORKER']}\\n")
"""


def test_the_installed_pytest_and_xdist_keep_groups_together(tmp_path: Path) -> None:
    # pytest 9.2 made xdist 3.8 hand out single tests, without a word
    (tmp_path / "test_groups.py").write_text(TWO_GROUPS)
    own = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "xdist", "-n", "2", "--dist", "loadgroup"]
    done = subprocess.run(
        [*argv, "--rootdir", str(tmp_path)],
        cwd=tmp_path,
        env=kept | own,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    workers = defaultdict(set)
    for line in (tmp_path / "workers").read_text().splitlines():
        group, worker = line.split()
        workers[group].add(worker)
    assert {group: len(names) for group, names in workers.items()} == {"0": 1, "1": 1}


def test_files_that_share_a_server_are_one_group(request: pytest.FixtureRequest) -> None:
    groups: dict[Path, set[str]] = defaultdict(set)
    for item in request.session.items:
        groups[item.path].add(next(item.iter_markers("xdist_group")).args[0])
    assert {path.name: names for path, names in groups.items() if len(names) > 1} == {}
    tests = Path(__file__).parent.parent
    servers = {
        tests / "local" / "test_kube.py": "api_server",
        tests / "e2e" / "test_preview.py": "platform",
    }
    for file in servers.keys() & groups.keys():
        assert groups[file] == {servers[file]}
    assert groups[Path(__file__)] == {Path(__file__).as_posix()}
