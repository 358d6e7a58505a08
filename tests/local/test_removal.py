import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.node_agent.sandbox import find_bwrap
from local.paths import CHECKOUT
from local.removal import remove

pytestmark = pytest.mark.services


def test_folders_that_forbid_writing_are_removed(tmp_path: Path) -> None:
    inner = tmp_path / "modules" / "inner" / "most"
    inner.mkdir(parents=True)
    (inner / "file").write_text("")
    for folder in (inner, inner.parent, inner.parent.parent):
        folder.chmod(0o500)
    assert remove(tmp_path / "modules") == []
    assert not (tmp_path / "modules").exists()


def test_a_link_is_removed_and_not_what_it_names(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    assert remove(tmp_path / "link") == []
    assert (tmp_path / "kept").is_dir()
    assert remove(tmp_path / "nothing") == []


def test_down_says_which_state_it_could_not_delete(tmp_path: Path) -> None:
    stuck = tmp_path / "state" / "volumes" / "stuck"
    stuck.mkdir(parents=True)
    bwrap = find_bwrap()
    sandbox = [str(bwrap.program), *bwrap.options, "--dev-bind", "/", "/"]
    sandbox += ["--ro-bind", str(stuck), str(stuck)]
    done = subprocess.run(
        [*sandbox, sys.executable, "-m", "local", "down", "--delete-state"],
        cwd=CHECKOUT,
        env={**os.environ, "AGENTIC_STATE_DIR": str(tmp_path / "state")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, done.stdout
    (line,) = done.stderr.splitlines()
    assert str(stuck.parent) in line
    assert "'stuck'" in line
    assert "state deleted" not in done.stdout
