"""Python environments beside the project's, for packages too large or too strict to live in it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local.paths import Cache
from local.toolchain.wheels import uv_program

INSTALL_SECONDS = 900


def uv_or_skip() -> str:
    """Path of uv."""
    uv = uv_program(Cache.default())
    if uv is None:
        pytest.skip("uv is neither on PATH nor in the cache: `make env` fetches it")
    return uv


def interpreter(home: Path, *arguments: str | Path) -> Path:
    """Python of the environment below `home`, made once by `uv pip install ARGUMENTS`.

    `home` names the state of what is installed: it is not looked at again. Skips, with the cause,
    where uv or a package can't be had.
    """
    python = home / "venv" / "bin" / "python"
    done = home / "installed"
    if done.exists():
        return python
    uv = uv_or_skip()
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    install = [uv, "pip", "install", "--python", str(python)]
    for command in (
        [uv, "venv", "--python", sys.executable, str(home / "venv")],
        [*install, *map(str, arguments)],
    ):
        made = subprocess.run(
            command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
        if made.returncode != 0:
            pytest.skip(f"the environment {home.name} can't be made: {made.stderr[-500:]}")
    done.touch()
    return python
