"""Python with CrewAI and the runtime, in an environment of its own below the cache (1.1 GB)."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local.paths import CHECKOUT, Cache
from local.toolchain.wheels import uv_program

REQUIREMENTS = CHECKOUT / "agent_runtime" / "crewai-requirements.txt"
INSTALL_SECONDS = 900


def interpreter() -> Path:
    """Made once for each state of the requirements; skips where uv or the packages can't be had."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:16]
    home = Cache.default().root / "crewai" / digest
    python = home / "venv" / "bin" / "python"
    done = home / "installed"
    if done.exists():
        return python
    uv = uv_program(Cache.default())
    if uv is None:
        pytest.skip("uv is neither on PATH nor in the cache: `make env` fetches it")
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    commands = (
        [uv, "venv", "--python", sys.executable, str(home / "venv")],
        [
            uv,
            "pip",
            "install",
            "--compile-bytecode",
            "--python",
            str(python),
            "-r",
            str(REQUIREMENTS),
        ],
    )
    for command in commands:
        made = subprocess.run(
            command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
        if made.returncode != 0:
            pytest.skip(f"the environment of CrewAI can't be made: {made.stderr[-500:]}")
    done.touch()
    return python
