"""Finding a usable program on PATH."""

import os
import platform
import shutil
import subprocess
from pathlib import Path

from local.toolchain.recipes import Tool

ANSWER_SECONDS = 10.0


def on_path(tool: Tool) -> Path | None:
    """The first program on PATH whose version the platform accepts; a broken one is passed over."""
    if tool.accepted is None:
        return None
    for folder in os.get_exec_path():
        found = shutil.which(tool.name, path=folder)
        if found and tool.accepted.search(version_text(Path(found), tool.version_arguments)):
            return Path(found).absolute()
    return None


def version_text(program: Path, arguments: tuple[str, ...]) -> str:
    """What the program prints about itself; empty when it can't run or does not answer."""
    try:
        done = subprocess.run(
            [str(program), *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ANSWER_SECONDS,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def machine() -> str:
    """`x86_64`, `aarch64`, …"""
    return platform.machine()
