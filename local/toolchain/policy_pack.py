"""The Python environment of a policy pack: made once for each state of its lock, in the cache."""

import hashlib
import os
import sys
from pathlib import Path

from local.paths import CHECKOUT, Cache
from local.process import run_to_end
from local.report import UserError
from local.toolchain.wheels import uv_program

POLICIES = CHECKOUT / "infra" / "policies"
"""The pack of this repository."""
MADE = "installed"
"""File beside an environment that is whole."""


def interpreter(pack: Path, cache: Cache) -> Path | None:
    """The Python a pack runs with: that of `.venv` in it, else the cache's; None without either."""
    own = pack / ".venv" / "bin" / "python"
    if own.is_file():
        return own
    home = home_of(pack, cache)
    return _python(home) if (home / MADE).is_file() else None


def ensure_environment(pack: Path, cache: Cache) -> Path:
    """Its Python, with exactly what its lock names; UserError when that can't be had.

    Safe to be called by several processes at once: uv lets one after the other in.
    """
    found = interpreter(pack, cache)
    if found is not None:
        return found
    uv = uv_program(cache)
    if uv is None:
        raise UserError("the policy pack needs uv: run `make env`, which brings it")
    home = home_of(pack, cache)
    command = [uv, "sync", "--frozen", "--quiet", "--project", str(pack), "--python"]
    variables = os.environ | {"UV_PROJECT_ENVIRONMENT": str(home / "venv")}
    done = run_to_end([*command, sys.executable], env=variables, cwd=pack)
    if done.code != 0:
        last = [line for line in done.output.splitlines() if line.strip()][-1:]
        raise UserError(
            f"the policy pack's environment could not be made ({' '.join(last)[:160]}): check the "
            "network, or uv's index settings (UV_DEFAULT_INDEX), and run it again"
        )
    (home / MADE).touch()
    return _python(home)


def _python(home: Path) -> Path:
    return home / "venv" / "bin" / "python"


def home_of(pack: Path, cache: Cache) -> Path:
    """One folder for each lock and Python version."""
    lock = pack / "uv.lock"
    content = lock.read_bytes() if lock.is_file() else b""
    digest = hashlib.sha256(content + sys.version.encode()).hexdigest()[:16]
    return cache.root / "policies" / digest
