"""`make bench`: the figures that the README quotes, measured in a state folder of their own.

Cold means a clone with an empty home and empty caches (`--cold`, about ten minutes); warm means
tools and environment in place and no platform; the second run finds nothing to change.
"""

import argparse
import datetime
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent
QUESTIONS = 5


@dataclass(frozen=True)
class Figure:
    """One measured value, the bound that the project set itself, and how it was got."""

    name: str
    value: float
    bound: float
    unit: str
    command: str

    def line(self) -> str:
        mark = "ok" if self.value <= self.bound else "OVER"
        value = f"{self.value:9.2f} {self.unit:4} (≤ {self.bound:g})"
        return f"{self.name:34} {value}  {mark:4} {self.command}"


def local(state: Path, *arguments: str) -> tuple[float, dict[str, Any]]:
    """Seconds and JSON answer of one command of the local plane; raises on failure."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "local", *arguments, "--json"],
        cwd=CHECKOUT,
        env={**os.environ, "AGENTIC_STATE_DIR": str(state)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(arguments)} failed:\n{done.stderr[-2000:]}")
    return time.monotonic() - began, json.loads(done.stdout.splitlines()[-1])


def warm_figures(state: Path) -> list[Figure]:
    """Figures of a platform whose tools are in place."""
    try:
        return _warm_figures(state)
    finally:
        local(state, "down", "--delete-state")


def _warm_figures(state: Path) -> list[Figure]:
    warm, first = local(state, "up")
    second, again = local(state, "up")
    memory = sum(row["memory_mib"] for row in local(state, "status")[1]["components"])
    answers = [local(state, "ask", "How long is the warranty?")[0] for _ in range(QUESTIONS)]
    local(state, "down")
    restart, _ = local(state, "up")
    return [
        Figure("make up, warm, empty state", warm, 30, "s", "make up"),
        Figure("make up, warm, state kept", restart, 30, "s", "make down && make up"),
        Figure("make up, nothing changed", second, 10, "s", "make up (again)"),
        Figure("platform, resident", memory / 1024, 2.5, "GiB", "make status ARGS=--json"),
        Figure("first question", first["conversation"]["seconds"], 10, "s", "make up"),
        Figure("question, second run", again["conversation"]["seconds"], 10, "s", "make up"),
        Figure(
            "question, median",
            statistics.median(answers),
            10,
            "s",
            'make ask Q="…" (whole process)',
        ),
    ]


def cold_figure(folder: Path) -> Figure:
    """`make up` from a clone with an empty home: environment, tools and platform from nothing."""
    clone = folder / "clone"
    subprocess.run(["git", "clone", "-q", str(CHECKOUT), str(clone)], check=True)
    dropped = ("XDG_", "GO", "VIRTUAL_ENV", "AGENTIC_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(dropped)}
    home = folder / "home"
    home.mkdir()
    environment = kept | {"HOME": str(home), "UV_CACHE_DIR": str(home / "uv")}
    try:
        began = time.monotonic()
        subprocess.run(["make", "up"], cwd=clone, env=environment, check=True)
        seconds = time.monotonic() - began
    finally:
        # also after a failure: the clone is removed, and its platform would run on without files
        subprocess.run(["make", "down"], cwd=clone, env=environment, check=False)
    return Figure("make up, cold", seconds / 60, 12, "min", "git clone, empty HOME, make up")


def main() -> None:
    """Measure and print; nothing here fails because a machine is slow."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cold", action="store_true", help="also from empty caches")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="agentic-bench-"))
    try:
        figures = [cold_figure(folder)] if arguments.cold else []
        figures += warm_figures(folder / "state")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if arguments.json:
        print(json.dumps([figure.__dict__ for figure in figures]))
        return
    today = datetime.datetime.now(tz=datetime.UTC).date()
    print(
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {today}"
    )
    for figure in figures:
        print(figure.line())


if __name__ == "__main__":
    main()
