"""How long the engine takes for prod, beside as many plain ConfigMaps in the same run.

    python -m tools.bench_preview [--json]

Prod is previewed as on an empty account: the program's own time, the engine's, and the API
server's strict judgement of each object. The ConfigMaps are the floor: the same engine, stand-in
and API server with a program that computes nothing. Then the time and memory of each operation.
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
from typing import NamedTuple

import psutil

from local.control_plane import ControlPlane, lease
from local.paths import Cache
from local.toolchain import cached
from tests.engine.deployment import Deployment
from tests.harness.engine import Project, config_map

COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager")
BOUND = 1.5
NAMESPACE = "floor"


class Row(NamedTuple):
    """One operation of the engine."""

    what: str
    resources: int
    seconds: float
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
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        slot = lease(Cache.default(), owner=Path(folder))
        tools = cached(COMPONENTS, Cache.default())
        plane = ControlPlane(
            Path(folder), tools, slot=slot, unsafe_no_fsync=True, components=COMPONENTS
        )
        try:
            with plane.running() as running:
                yield running.kubeconfig
        finally:
            slot.release()


def measured(what: str, target: "Deployment | Project", *command: str) -> Row:
    """One command; raises SystemExit when it fails."""
    peak, began = _Peak(), time.monotonic()
    result = target.run(*command)
    seconds = time.monotonic() - began
    if not result.ok:
        raise SystemExit(f"{what} failed: {result.errors[:3]}")
    return Row(what, len(result.steps), seconds, peak.stop())


def floor(folder: Path, kubeconfig: Path, count: int) -> Row:
    """The preview of so many ConfigMaps."""
    project = Project(folder, kubeconfig)
    entries = [config_map(f"map-{number}", NAMESPACE, {"a": "b"}) for number in range(count)]
    project.resources(*entries)
    project.preview()
    return measured(f"preview of {count} ConfigMaps", project, "preview")


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
        prod.run("preview")
        found = [measured("preview of prod, from nothing", prod, "preview")]
        found.append(floor(folder / "floor", kubeconfig, found[0].resources))
        found.append(measured("up", prod, "up", *apply))
        found.append(measured("preview, nothing changed", prod, "preview"))
        found.append(measured("refresh", prod, "refresh", *apply))
        prod.run("state", "unprotect", "--all", "--yes")
        found.append(measured("destroy", prod, "destroy", "--run-program", *apply))
        prod.client.close()
    return found


def main() -> None:
    """Print the table and the ratio; nothing here fails because a machine is slow."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = rows()
    ratio = found[0].seconds / found[1].seconds
    if arguments.json:
        figures = [row._asdict() for row in found]
        print(json.dumps({"rows": figures, "ratio": round(ratio, 2), "bound": BOUND}))
        return
    for row in found:
        print(f"{row.what:34} {row.resources:5} {row.seconds:8.2f} s {row.peak_mib:8.0f} MiB")
    mark = "ok" if ratio <= BOUND else "OVER"
    print(f"prod : ConfigMaps = {ratio:.2f} (≤ {BOUND}) {mark}")
    own = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = own.ru_utime + own.ru_stime
    print(f"{busy:.0f} s of CPU, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
