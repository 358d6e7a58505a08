"""The releases that a preview gives for a diff of charts: of this checkout and of another one."""

import shutil
from pathlib import Path

import pytest

from components.versions import CHARTS
from local.paths import CHECKOUT, Cache
from local.report import Progress
from local.toolchain import cached
from tools.render_charts.release import previewed

pytestmark = [pytest.mark.engine, pytest.mark.slow]

LEFT_OUT = (".git", ".venv", ".local", ".*_cache", "__pycache__", "node_modules", "tests", "docs")


def test_only_the_release_that_was_edited_differs(tmp_path: Path) -> None:
    other = tmp_path / "checkout"
    shutil.copytree(CHECKOUT, other, ignore=shutil.ignore_patterns(*LEFT_OUT))
    interpreter = other / ".venv" / "bin" / "python"
    interpreter.parent.mkdir(parents=True)
    python = CHECKOUT / ".venv" / "bin" / "python"
    interpreter.write_text(f'#!/bin/sh\nPYTHONPATH="{other}" exec "{python}" "$@"\n')
    interpreter.chmod(0o755)
    versions = other / "components" / "versions.py"
    keda = CHARTS["keda"].version
    versions.write_text(versions.read_text().replace(f'"{keda}"', '"9.9.9"'))
    tools = cached(("pulumi",), Cache.default())
    with Progress(as_json=True) as progress:
        before = previewed("prod", CHECKOUT, tools, progress)
        after = previewed("prod", other, tools, progress)
        assert previewed("nobody", CHECKOUT, tools, progress) == {}
    assert len(before) >= 20
    assert [name for name in before if before[name] != after[name]] == ["keda"]
    assert (before["keda"].version, after["keda"].version) == (keda, "9.9.9")
    assert before["keda"].repository == CHARTS["keda"].repository
