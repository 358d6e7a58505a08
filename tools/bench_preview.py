"""How long the engine takes for prod, beside as many plain ConfigMaps in the same run.

    python -m tools.bench_preview [--json] [--split]

Prod is previewed as on an empty account: the program's own time, the engine's, and the API
server's strict judgement of each object. The ConfigMaps are the floor: the same engine, stand-in
and API server with a program that computes nothing; both in turn, a few times. Then the time and
memory of each operation. `--split` instead previews prod as one stack, and as a foundation with a
platform on it.
"""

import argparse
import json
import os
import resource
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

import psutil

from tests.engine.deployment import Deployment
from tests.harness.api_server import COMPONENTS, running_api_server
from tests.harness.engine import Project, config_map
from tests.infra.platforms import FOUNDATION, ON_FOUNDATION, data_of

PAIRS = 5
BOUND = 1.5
NAMESPACE = "floor"


class Row(NamedTuple):
    """One operation of the engine."""

    what: str
    resources: int
    seconds: float
    cpu_seconds: float
    """Of the engine and all that it started; unlike `seconds` hardly changed by other load."""
    peak_mib: float
    """Largest sum of the resident memory of the engine and all that it started."""


class _Peak:
    """Memory of this process's children, sampled while an operation runs."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self.mib = 0.0
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def _sample(self) -> None:
        me = psutil.Process()
        while not self._over.wait(0.2):
            total = 0
            for child in me.children(recursive=True):
                try:
                    if child.name() not in COMPONENTS:
                        total += child.memory_info().rss
                except psutil.Error:
                    continue
            self.mib = max(self.mib, total / 2**20)

    def stop(self) -> float:
        self._over.set()
        self._thread.join()
        return self.mib


@contextmanager
def api_server() -> Iterator[Path]:
    """An API server of this run's own."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        running_api_server(Path(folder)) as kubeconfig,
    ):
        yield kubeconfig


def measured(what: str, target: "Deployment | Project", *command: str) -> Row:
    """One command; raises SystemExit when it fails."""
    peak, began, busy = _Peak(), time.monotonic(), cpu_of_children()
    result = target.run(*command)
    seconds = time.monotonic() - began
    cpu = cpu_of_children() - busy
    if not result.ok:
        raise SystemExit(f"{what} failed: {result.errors[:3]}")
    return Row(what, len(result.steps), seconds, cpu, peak.stop())


def cpu_of_children() -> float:
    """Seconds of CPU of all processes that ended below this one."""
    own = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime


def config_maps(folder: Path, kubeconfig: Path, count: int) -> Project:
    """A project of so many ConfigMaps."""
    project = Project(folder, kubeconfig)
    entries = [config_map(f"map-{number}", NAMESPACE, {"a": "b"}) for number in range(count)]
    project.resources(*entries)
    return project


def pairs(prod: Deployment, folder: Path, kubeconfig: Path) -> list[Row]:
    """Previews of prod and of the floor in turn: a machine is not as fast in every minute."""
    count = len(prod.run("preview").steps)
    floor = config_maps(folder, kubeconfig, count)
    floor.preview()
    found = []
    for _ in range(PAIRS):
        found.append(measured("preview of prod, from nothing", prod, "preview"))
        found.append(measured(f"preview of {count} ConfigMaps", floor, "preview"))
    return found


def rows() -> list[Row]:
    """Every figure, in the order of measuring."""
    apply = ("--yes", "--skip-preview")
    with api_server() as kubeconfig, tempfile.TemporaryDirectory(prefix="bench-") as text:
        folder = Path(text)
        prod = Deployment("prod", folder / "prod", kubeconfig)
        prod.load_crds()
        prod.client.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        )
        found = pairs(prod, folder / "floor", kubeconfig)
        found.append(measured("up", prod, "up", *apply))
        found.append(measured("preview, nothing changed", prod, "preview"))
        found.append(measured("refresh", prod, "refresh", *apply))
        prod.configure(data_of("prod") | {"protect": False})
        found.append(measured("destroy", prod, "destroy", "--run-program", *apply))
        prod.client.close()
    return found


def halves() -> list[Row]:
    """Previews from nothing: the whole, the foundation, and the platform on what that exports."""
    with api_server() as kubeconfig, tempfile.TemporaryDirectory(prefix="bench-") as text:
        folder = Path(text)
        whole = Deployment("prod", folder / "whole", kubeconfig)
        whole.load_crds()
        ground = Deployment(FOUNDATION, folder / "split", kubeconfig)
        platform = Deployment(ON_FOUNDATION, folder / "split", kubeconfig)
        whole.run("preview")
        found = [measured(f"preview of {it.name}", it, "preview") for it in (whole, ground)]
        ground.run("up", "--yes", "--skip-preview")
        found.append(measured(f"preview of {platform.name}", platform, "preview"))
        for each in (whole, ground, platform):
            each.client.close()
    return found


def show(found: list[Row], *, as_json: bool, **more: float) -> None:
    """The figures, for people or as one JSON object."""
    if as_json:
        print(json.dumps({"rows": [row._asdict() for row in found]} | more))
        return
    for row in found:
        cpu = f"{row.cpu_seconds:7.1f} s CPU"
        print(f"{row.what:34} {row.resources:5} {row.seconds:8.2f} s {cpu} {row.peak_mib:6.0f} MiB")


def main() -> None:
    """Print the table and the ratio; nothing here fails because a machine is slow."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--split", action="store_true", help="one stack beside two")
    arguments = parser.parse_args()
    if arguments.split:
        show(halves(), as_json=arguments.json)
        return
    found = rows()
    previews = found[: 2 * PAIRS]
    ratio = median(
        a.seconds / b.seconds for a, b in zip(previews[::2], previews[1::2], strict=True)
    )
    if arguments.json:
        show(found, as_json=True, ratio=round(ratio, 2), bound=BOUND)
        return
    show(found, as_json=False)
    mark = "ok" if ratio <= BOUND else "OVER"
    print(f"prod : ConfigMaps = {ratio:.2f}, median of {PAIRS} pairs (≤ {BOUND}) {mark}")
    print(
        f"{cpu_of_children():.0f} s of CPU, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )


if __name__ == "__main__":
    main()
