"""What Pulumi runs before it deletes the last thing that could clean up: a hook for each drain."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pulumi

from components import drain_load_balancers as load_balancers
from components import drain_nodes as nodes
from components import drain_volumes as volumes
from components import drain_webhooks as webhooks
from components.cluster_client import ClusterClient, Unreachable
from components.drain import TeardownConfig, called
from components.drain_run import DrainError, drain

LOOKS_SECONDS = 10.0
"""Between the two looks that find nobody behind a webhook: a Pod that is replaced comes back."""
UNREACHABLE = (
    "the cluster does not answer ({why}), so nobody can say what it still has on AWS; bring it "
    "back, or, if it is gone for good, set teardown.drain: false in the stack file, destroy with "
    "--run-program once more, and look for leftovers with `make sweep`"
)


@dataclass(frozen=True)
class Deletion:
    """The resource that is about to go."""

    name: str
    kind: str
    """Its type token."""
    inputs: Mapping[str, Any]


@dataclass(frozen=True)
class Teardown:
    """The drains of one stack; each method blocks until nothing is left, or raises DrainError."""

    config: TeardownConfig
    retain: bool
    """Whether data stays on AWS."""
    tell: Callable[[str], None]

    def load_balancers(self, cluster: ClusterClient, _going: Deletion) -> None:
        drain(
            cluster,
            load_balancers.load_balancer_step,
            kinds=load_balancers.KINDS,
            way_out=load_balancers.WAY_OUT,
            deadline_seconds=60 * self.config.load_balancer_minutes,
            tell=self.tell,
        )

    def nodes(self, cluster: ClusterClient, going: Deletion) -> None:
        own = going.kind.startswith("kubernetes:")
        drain(
            cluster,
            lambda listed, around: nodes.node_step(
                listed,
                around,
                group=nodes.GROUP if own else nodes.AUTO_MODE_GROUP,
                now=datetime.now(UTC),
                drain=self._node_drain,
            ),
            kinds=nodes.KINDS,
            way_out=nodes.WAY_OUT,
            deadline_seconds=60 * self.config.node_minutes,
            tell=self.tell,
        )

    def pool(self, cluster: ClusterClient, going: Deletion) -> None:
        """Only bounds the drain of the pool's nodes: they go with the pool."""
        claims = tuple(cluster.list(nodes.NODE_CLAIM))
        own = nodes.claims_of_pool(claims, str(going.inputs["metadata"]["name"]))
        for claim in nodes.without_deadline(own):
            change = nodes.deadline_patch(datetime.now(UTC), self._node_drain)
            cluster.patch(nodes.NODE_CLAIM, claim, change)
        if own:
            minutes = self.config.node_drain_minutes
            self.tell(f"{len(own)} nodes of {going.name} are drained within {minutes} minutes")

    def volumes(self, cluster: ClusterClient, going: Deletion) -> None:
        driver = str(going.inputs.get("provisioner") or going.inputs.get("addonName"))
        drain(
            cluster,
            partial(volumes.volume_step, driver=volumes.DRIVERS[driver], retain=self.retain),
            kinds=volumes.KINDS,
            way_out=volumes.WAY_OUT,
            deadline_seconds=60 * self.config.volume_minutes,
            tell=self.tell,
        )

    def webhooks(self, cluster: ClusterClient, _going: Deletion) -> None:
        """Deletes those that nobody answered at two looks."""
        first = self._dead(cluster)
        if not first:
            return
        cluster.pause(LOOKS_SECONDS)
        for uid, (kind, obj) in self._dead(cluster).items():
            if uid in first:
                self.tell(f"{called(kind, obj)} is deleted: no Pod answers it any more")
                cluster.delete(kind, obj)

    def _dead(self, cluster: ClusterClient) -> dict[str, Any]:
        listed = {kind: cluster.list(kind) for kind in webhooks.KINDS}
        return {obj["metadata"]["uid"]: (kind, obj) for kind, obj in webhooks.dead_webhooks(listed)}

    @property
    def _node_drain(self) -> timedelta:
        return timedelta(minutes=self.config.node_drain_minutes)


HOOKS: dict[str, Callable[[Teardown, ClusterClient, Deletion], None]] = {
    "drain-load-balancers": Teardown.load_balancers,
    "drain-nodes": Teardown.nodes,
    "drain-node-pool": Teardown.pool,
    "drain-volumes": Teardown.volumes,
    "drain-webhooks": Teardown.webhooks,
}
"""By the names under which a stack's state knows them: a name that is changed leaves a state whose
hook is not registered, and that can't be deleted."""


def run_hook(name: str, teardown: Teardown, kubeconfig: str, going: Deletion) -> None:
    """One drain to its end, with a connection of its own; DrainError says what is in the way."""
    try:
        with ClusterClient(kubeconfig) as cluster:
            HOOKS[name](teardown, cluster, going)
    except Unreachable as error:
        raise DrainError([UNREACHABLE.format(why=error)]) from error


async def in_thread(name: str, teardown: Teardown, kubeconfig: str, going: Deletion) -> None:
    """The same beside the program's event loop, which answers the engine meanwhile."""
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, run_hook, name, teardown, kubeconfig, going)


def say(going: Deletion) -> Callable[[str], None]:
    """Progress on the engine's log."""
    return lambda text: pulumi.log.info(f"before {going.name} goes: {text}")
