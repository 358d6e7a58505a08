"""One run of everything: load comes, nodes are bought, load goes, nodes go.

Beside each pool, tenant and scaler of the platform stands its mutant, made by an edit of the stack
data, in the same cluster at the same time: the run is as long as without them.
"""

import copy
import time
from dataclasses import dataclass, field

from local.kube import KubeClient, Manifest
from tests.scaling import stack_objects
from tests.scaling.catalogue import catalogue, price
from tests.scaling.history import POOL, History, Moment
from tests.scaling.loads import gpu_pods, put_tasks
from tests.scaling.mutants import (
    GPU_POOL,
    MUTANT_POOL,
    MUTANT_QUEUE,
    MUTANT_TENANT,
    SCALER,
    WEIGHTS_LABEL,
)
from tests.scaling.permissions import revoke
from tests.scaling.plane import Plane
from tests.scaling.stack_objects import AGENT

LOADS = "loads"
MUTANT_AGENT = f"{AGENT}-mutant"
AGENTS = "ai-agents"
BURST = 80
"""One-GPU Pods that one pool is asked for: more than its limit."""
TASKS = 200
PRICED_POOL = "priced-pool"
MISSED = frozenset(
    {
        "karpenter:karpenter create nodeclaims",
        "keda:keda-operator update horizontalpodautoscalers",
    }
)
"""What is refused when two rights are taken away at the end."""
HOLD_SECONDS = 13.0
"""Karpenter takes note of one Pod event on a node in ten seconds: a drain within that time after
the Pods came would not be seen."""


@dataclass
class Story:
    """What the tests ask about."""

    history: History
    figures: dict[str, float] = field(default_factory=dict)
    """Seconds from a cause to its effect; of the processes at the height, MiB resident."""
    pods: dict[str, int] = field(default_factory=dict)
    """Pods by what the test calls them, when the load was at its height."""
    events: list[str] = field(default_factory=list)
    """Messages of the events in the tenant's namespace."""
    loaded: float = 0.0
    drained: float = 0.0
    height: Moment | None = None
    two_rounds: float = 0.0
    """When the pool had lost two rounds of nodes."""
    annotated: str = ""
    beside: str = ""
    """A claim of the same pool without the annotation."""
    dearer: str = ""
    """The type whose price a late step raised."""
    refused: set[str] = field(default_factory=set)
    """What the API server refused the controllers, until the last step took rights from them."""
    refused_then: set[str] = field(default_factory=set)


class Teller:
    """Tells the story on a running plane."""

    def __init__(self, plane: Plane, history: History) -> None:
        self.plane = plane
        self.client: KubeClient = plane.client
        self.history = history
        self.story = Story(history)

    def tell(self) -> Story:
        """The whole run; about three minutes."""
        self.agents_wait()
        self.load_comes()
        self.load_is_at_its_height()
        self.load_goes()
        self.nodes_go_two_rounds()
        self.the_rest_goes()
        self.price_changes()
        self.rights_are_taken()
        return self.story

    def agents_wait(self) -> None:
        """The scaler has its fewest replicas before any task comes."""
        self.history.wait(
            lambda moment: (
                moment.replicas == {f"{AGENTS}/{AGENT}": 2, f"{AGENTS}/{MUTANT_AGENT}": 1}
            ),
            "fewest replicas of both agents",
            seconds=60,
        )
        self._running(AGENTS, f"kagent={AGENT}", 2)

    def load_comes(self) -> None:
        """Tasks, tenants, Pods for the weighted pools; the burst once the tenants have theirs."""
        self.story.loaded = time.time()
        for queue in (stack_objects.queue(), MUTANT_QUEUE):
            put_tasks(queue, TASKS)
        for tenant in (stack_objects.TENANT, MUTANT_TENANT):
            self.client.apply(gpu_pods("load", tenant, 10, node_labels={POOL: GPU_POOL}))
        for kind in ("real", "mutant"):
            labels = {WEIGHTS_LABEL: kind}
            self.client.apply(gpu_pods(f"weights-{kind}", LOADS, 32, node_labels=labels))
        self._running(stack_objects.TENANT, "app=load", 4)
        self._running(MUTANT_TENANT, "app=load", 8)
        self.story.figures["tenant's four Pods run"] = time.time() - self.story.loaded
        burst = time.time()
        for pool in (GPU_POOL, MUTANT_POOL):
            self.client.apply(gpu_pods(f"burst-{pool}", LOADS, BURST, node_labels={POOL: pool}))
        tenants = (stack_objects.TENANT, MUTANT_TENANT)
        # a tenant beyond its quota is for its own test to tell, not for this wait
        taken = sum(self._pods(tenant, "app=load", phase="Running") for tenant in tenants)
        self._running(LOADS, f"app=burst-{GPU_POOL}", 64 - taken)
        self._running(LOADS, f"app=burst-{MUTANT_POOL}", BURST)
        self._running(LOADS, "app=weights-real", 32)
        self._running(LOADS, "app=weights-mutant", 32)
        self.story.figures["burst of 80 Pods: as many run as may"] = time.time() - burst

    def load_is_at_its_height(self) -> None:
        """Twenty agents, and every pool as full as it gets; nothing moves for a while."""
        moment = self.history.wait(
            lambda moment: moment.replicas[f"{AGENTS}/{AGENT}"] == 20, "20 agents", seconds=120
        )
        self.story.figures["agents 2 to 20"] = moment.at - self.story.loaded
        self._running(AGENTS, f"kagent={AGENT}", 20)
        hold = time.time() + HOLD_SECONDS
        self.story.height = self.history.wait(
            lambda moment: moment.at >= hold, "the hold", seconds=2 * HOLD_SECONDS
        )
        self.story.figures["controllers and store, resident MiB"] = self.plane.resident_mib()
        self.story.pods = {
            "tenant": self._pods(stack_objects.TENANT, "app=load"),
            "tenant mutant": self._pods(MUTANT_TENANT, "app=load"),
            "burst running": self._pods(LOADS, f"app=burst-{GPU_POOL}", phase="Running"),
            "burst pending": self._pods(LOADS, f"app=burst-{GPU_POOL}", phase="Pending"),
        }
        events = self.client.list("v1", "Event", stack_objects.TENANT)
        self.story.events = [event.get("message", "") for event in events]

    def load_goes(self) -> None:
        """No task, no Pod; one node of the mutant pool, whose budget is everything, may not go."""
        claims = self.story.height.of(MUTANT_POOL) if self.story.height else []
        kept, beside = claims[:2]
        self.story.annotated, self.story.beside = kept.name, beside.name
        note = {"metadata": {"annotations": {"karpenter.sh/do-not-disrupt": "true"}}}
        self.client.patch("v1", "Node", kept.node, note)
        self.story.drained = time.time()
        for queue in (stack_objects.queue(), MUTANT_QUEUE):
            put_tasks(queue, 0)
        for tenant in (stack_objects.TENANT, MUTANT_TENANT):
            self.client.delete("apps/v1", "Deployment", "load", tenant)
        for name in (f"burst-{GPU_POOL}", f"burst-{MUTANT_POOL}", "weights-real", "weights-mutant"):
            self.client.delete("apps/v1", "Deployment", name, LOADS)

    def nodes_go_two_rounds(self) -> None:
        """Agents are two again; the pool has lost two rounds of nodes."""
        moment = self.history.wait(
            lambda moment: moment.replicas[f"{AGENTS}/{AGENT}"] == 2, "2 agents again", seconds=90
        )
        self.story.figures["agents 20 to 2"] = moment.at - self.story.drained
        whole = len(self.story.height.of(GPU_POOL)) if self.story.height else 0
        moment = self.history.wait(
            lambda moment: any(claim.leaving for claim in moment.of(GPU_POOL)),
            "the first node leaves",
            seconds=200,
        )
        self.story.figures["empty pool: first node leaves"] = moment.at - self.story.drained
        moment = self.history.wait(
            lambda moment: len(moment.of(GPU_POOL)) <= whole - 4, "two rounds", seconds=150
        )
        self.story.two_rounds = moment.at
        self.story.figures["empty pool: 8 to 4 nodes"] = moment.at - self.story.drained

    def the_rest_goes(self) -> None:
        """With the budget raised in stack data the empty nodes go in one round."""
        self.client.apply(stack_objects.changed().node_pool(GPU_POOL))
        began = time.time()
        moment = self.history.wait(
            lambda moment: not moment.of(GPU_POOL), "no node is left", seconds=150
        )
        self.story.figures["budget 100 %: 4 to 0 nodes"] = moment.at - began

    def price_changes(self) -> None:
        """The cheapest type becomes the dearest: the pool must now buy another."""
        pool = renamed(stack_objects.prod().node_pool(GPU_POOL), PRICED_POOL)
        types = allowed(pool, "node.kubernetes.io/instance-type")
        self.story.dearer = min(types, key=lambda name: price(name, "spot"))
        self.plane.restart_karpenter(
            catalogue(stack_objects.region(), dearer={self.story.dearer: 100.0})
        )
        self.client.apply(pool)
        self.client.apply(gpu_pods("priced", LOADS, 8, node_labels={POOL: PRICED_POOL}))
        self._running(LOADS, "app=priced", 8)

    def rights_are_taken(self) -> None:
        """Karpenter may make no claim and KEDA no HPA any more, and each is asked for one."""
        self.story.refused = self.plane.refusals()
        revoke(self.client, "karpenter-core", "nodeclaims")
        revoke(self.client, "keda-operator", "horizontalpodautoscalers")
        self.client.apply(gpu_pods("refused", LOADS, 32, node_labels={POOL: PRICED_POOL}))
        fewer = {"spec": {"maxReplicaCount": 19}}
        self.client.patch("keda.sh/v1alpha1", "ScaledObject", SCALER, fewer, AGENTS)

        def both(_: Moment) -> bool:
            self.story.refused_then = self.plane.refusals() - self.story.refused
            return self.story.refused_then >= MISSED

        self.history.wait(both, "both controllers are refused something", seconds=90)

    def _pods(self, namespace: str, selector: str, *, phase: str | None = None) -> int:
        pods = self.client.list("v1", "Pod", namespace, label_selector=selector)
        return sum(phase in (None, pod["status"].get("phase")) for pod in pods)

    def _running(self, namespace: str, selector: str, count: int) -> None:
        def enough(_: Moment) -> bool:
            return self._pods(namespace, selector, phase="Running") >= count

        self.history.wait(enough, f"{count} Pods {selector} run in {namespace}", seconds=90)


def allowed(pool: Manifest, key: str) -> list[str]:
    """The values that a NodePool's requirement on `key` lets through."""
    (values,) = (
        item["values"]
        for item in pool["spec"]["template"]["spec"]["requirements"]
        if item["key"] == key
    )
    return list(values)


def renamed(manifest: Manifest, name: str) -> Manifest:
    """A copy under another name."""
    found = copy.deepcopy(manifest)
    found["metadata"]["name"] = name
    return found
