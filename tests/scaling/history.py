"""What happened, seen from outside: claims for nodes and replicas over time, Karpenter's log."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from inference.instances import instance_table
from local.kube import KubeClient, Manifest

EVERY_SECONDS = 0.25
POOL = "karpenter.sh/nodepool"
TYPE = "node.kubernetes.io/instance-type"
CAPACITY = "karpenter.sh/capacity-type"


@dataclass(frozen=True)
class Claim:
    """One NodeClaim, bought or about to be."""

    name: str
    pool: str
    instance_type: str
    """Empty until it is bought."""
    capacity_type: str
    node: str
    leaving: bool
    """Karpenter has begun to take it away."""

    @property
    def gpus(self) -> int:
        return instance_table().types[self.instance_type].gpus if self.instance_type else 0


@dataclass(frozen=True)
class Moment:
    """Everything at one time (Unix seconds)."""

    at: float
    claims: tuple[Claim, ...]
    replicas: dict[str, int]
    """Wanted replicas of each scaled Deployment, `namespace/name`."""

    def of(self, pool: str) -> list[Claim]:
        return [claim for claim in self.claims if claim.pool == pool]


@dataclass
class History:
    """Moments in order."""

    moments: list[Moment] = field(default_factory=list)
    karpenter_log: Path | None = None

    @property
    def now(self) -> Moment:
        return self.moments[-1]

    def since(self, at: float) -> list[Moment]:
        return [moment for moment in self.moments if moment.at >= at]

    def disrupted(self, pool: str) -> list[tuple[float, list[str]]]:
        """Karpenter's own account, from its log: when it took which claims of the pool at once."""
        assert self.karpenter_log
        mine = {claim.name for moment in self.moments for claim in moment.of(pool)}
        found = []
        for line in self.karpenter_log.read_text().splitlines():
            if "disrupting node(s)" not in line:
                continue
            entry = json.loads(line)
            names = [node["NodeClaim"]["name"] for node in entry["disrupted-nodes"]]
            at = datetime.fromisoformat(entry["time"]).timestamp()
            if ours := [name for name in names if name in mine]:
                found.append((at, ours))
        return found

    def wait(self, until: Callable[[Moment], bool], what: str, *, seconds: float) -> Moment:
        """The first moment from now on for which `until` holds; fails after `seconds`."""
        deadline = time.monotonic() + seconds
        seen = len(self.moments)
        while True:
            for moment in self.moments[seen:]:
                if until(moment):
                    return moment
            seen = max(seen, len(self.moments) - 1)
            assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s; {self._state()}"
            time.sleep(EVERY_SECONDS / 2)

    def _state(self) -> str:
        pools: dict[str, int] = {}
        for claim in self.now.claims:
            pools[claim.pool] = pools.get(claim.pool, 0) + 1
        return f"claims {pools}, replicas {self.now.replicas}"


@contextmanager
def observed(client: KubeClient, karpenter_log: Path, scaled: list[str]) -> Iterator[History]:
    """A history that grows while the block runs."""
    history = History(karpenter_log=karpenter_log)
    end = threading.Event()
    failure: list[Exception] = []

    def look() -> None:
        while not end.wait(EVERY_SECONDS):
            try:
                history.moments.append(_moment(client, scaled))
            except Exception as error:  # noqa: BLE001 - handed to the test that waits
                failure.append(error)
                return

    history.moments.append(_moment(client, scaled))
    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield history
    finally:
        end.set()
        thread.join()
    if failure:
        raise failure[0]


def _moment(client: KubeClient, scaled: list[str]) -> Moment:
    at = time.time()
    claims = tuple(_claim(each) for each in client.list("karpenter.sh/v1", "NodeClaim"))
    replicas = {}
    for name in scaled:
        namespace, deployment = name.split("/")
        found = client.find("apps/v1", "Deployment", deployment, namespace)
        if found:
            replicas[name] = int(found["spec"]["replicas"])
    return Moment(at, claims, replicas)


def _claim(manifest: Manifest) -> Claim:
    metadata, status = manifest["metadata"], manifest.get("status", {})
    labels = metadata.get("labels", {})
    conditions = {each["type"]: each["status"] for each in status.get("conditions", [])}
    return Claim(
        name=metadata["name"],
        pool=labels[POOL],
        instance_type=labels.get(TYPE, ""),
        capacity_type=labels.get(CAPACITY, ""),
        node=status.get("nodeName", ""),
        leaving="deletionTimestamp" in metadata or conditions.get("DisruptionReason") == "True",
    )
