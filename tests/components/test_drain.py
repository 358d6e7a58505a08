"""What a teardown decides about the objects that it finds in a cluster."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from components.drain import (
    Kind,
    Manifest,
    Step,
    Surroundings,
    TeardownConfig,
    called,
    held,
)
from components.drain_load_balancers import (
    GATEWAY,
    OF_A_SERVICE,
    SERVICE,
    TARGET_GROUP_BINDING,
    load_balancer_step,
)
from components.drain_nodes import DEADLINE, GROUP, NODE_CLAIM, NODE_CLASS, NODE_POOL, node_step
from components.drain_run import DrainError, drain
from components.drain_volumes import CLAIM, VOLUME, volume_step
from components.drain_webhooks import ENDPOINT_SLICE, MUTATING, VALIDATING, dead_webhooks

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
EMPTY = Surroundings()
IN_USE = Surroundings(
    (
        {
            "metadata": {
                "name": "ai-agents",
                "labels": {"app.kubernetes.io/part-of": "agentic-platform"},
            }
        },
    )
)
DRIVER = "ebs.csi.aws.com"


def thing(name: str, namespace: str | None = None, **more: Any) -> dict[str, Any]:
    """An object whose UID is its name; `metadata` adds to it, other keys stand beside it."""
    metadata = {"name": name, "uid": name} | more.pop("metadata", {})
    if namespace:
        metadata["namespace"] = namespace
    return {"metadata": metadata} | more


def balanced(name: str, **more: Any) -> dict[str, Any]:
    return thing(name, "shop", spec={"type": "LoadBalancer"}, **more)


def names(some: Sequence[tuple[Kind, Manifest]]) -> list[str]:
    return [called(*it) for it in some]


KNOWN = {"managedFields": [{"manager": "pulumi-kubernetes-8f3a2c1d"}]}
GOING = {"deletionTimestamp": "2026-11-23T11:59:00Z", "finalizers": ["service.k8s.aws/resources"]}


def test_services_of_type_load_balancer_and_gateways_go_and_others_stay() -> None:
    plain = thing("web", "shop", spec={"type": "ClusterIP"})
    found = load_balancer_step(
        {SERVICE: [balanced("door"), plain], GATEWAY: [thing("gate", "shop")]}, EMPTY
    )
    assert names(found.delete) == ["Gateway shop/gate", "Service shop/door"]
    assert found.delete == found.left


def test_what_another_object_takes_along_is_only_awaited() -> None:
    of_gate = balanced("gate-lb", metadata={"ownerReferences": [{"uid": "gate"}]})
    of_service = thing("k8s-1", "shop", metadata={"labels": {OF_A_SERVICE: "shop/door"}})
    found = load_balancer_step(
        {
            SERVICE: [of_gate, balanced("old", metadata=GOING)],
            GATEWAY: [thing("gate", "shop")],
            TARGET_GROUP_BINDING: [of_service, thing("own", "shop")],
        },
        EMPTY,
    )
    assert names(found.delete) == ["Gateway shop/gate", "TargetGroupBinding shop/own"]
    assert len(found.left) == 5


def test_what_a_stack_still_has_is_refused_and_nothing_else_is_touched() -> None:
    found = load_balancer_step({SERVICE: [balanced("a"), balanced("b", metadata=KNOWN)]}, EMPTY)
    (line,) = found.refused
    assert line.startswith("Service shop/b belongs to a stack that still has it")
    assert found.delete == ()


def test_a_cluster_in_use_loses_nothing() -> None:
    found = load_balancer_step({SERVICE: [balanced("a"), balanced("b", metadata=GOING)]}, IN_USE)
    (line,) = found.refused
    assert "Service shop/a would lose its controller" in line
    assert "namespace ai-agents is there" in line
    gone = {"metadata": {**IN_USE.namespaces[0]["metadata"], "deletionTimestamp": "now"}}
    assert load_balancer_step({SERVICE: [balanced("a")]}, Surroundings((gone,))).refused == ()


def pool(name: str, group: str = GROUP, **more: Any) -> dict[str, Any]:
    return thing(name, spec={"template": {"spec": {"nodeClassRef": {"group": group}}}}, **more)


def claim(name: str, group: str = GROUP, **more: Any) -> dict[str, Any]:
    return thing(name, spec={"nodeClassRef": {"group": group}}, **more)


def nodes(listed: Mapping[Kind, Sequence[Manifest]], around: Surroundings = EMPTY) -> Step:
    return node_step(listed, around, group=GROUP, now=NOW, drain=timedelta(minutes=5))


def test_pools_go_first_then_their_nodes_then_the_classes() -> None:
    listed = {NODE_POOL: [pool("p")], NODE_CLAIM: [claim("c")], NODE_CLASS: [thing("k")]}
    assert names(nodes(listed).delete) == ["NodePool p"]
    listed[NODE_POOL] = []
    assert names(nodes(listed).delete) == ["NodeClaim c"]
    listed[NODE_CLAIM] = [claim("c", metadata=GOING)]
    assert nodes(listed).delete == ()
    listed[NODE_CLAIM] = []
    assert names(nodes(listed).delete) == ["EC2NodeClass k"]
    listed[NODE_CLASS] = []
    assert nodes(listed) == Step()


def test_every_node_gets_one_deadline_in_the_words_of_karpenter() -> None:
    bounded = claim("b", metadata={"annotations": {DEADLINE: "2026-11-23T12:01:00Z"}})
    ((_, patched, change),) = nodes({NODE_CLAIM: [claim("a"), bounded]}).patch
    assert patched["metadata"]["name"] == "a"
    assert change == {"metadata": {"annotations": {DEADLINE: "2026-11-23T12:05:00Z"}}}


def test_nodes_of_another_karpenter_are_not_ours() -> None:
    other = "eks.amazonaws.com"
    assert nodes({NODE_POOL: [pool("p", other)], NODE_CLAIM: [claim("c", other)]}) == Step()


def test_a_pool_of_the_stack_keeps_karpenter_where_it_is() -> None:
    found = nodes({NODE_POOL: [pool("p", metadata=KNOWN)], NODE_CLAIM: [claim("c")]})
    assert len(found.refused) == 1
    assert (found.delete, found.patch) == ((), ())


def volume(name: str, claimed: str, policy: str = "Delete", **more: Any) -> dict[str, Any]:
    spec = {
        "csi": {"driver": DRIVER, "volumeHandle": f"vol-{name}"},
        "claimRef": {"namespace": "data", "name": claimed},
        "persistentVolumeReclaimPolicy": policy,
    }
    return thing(name, spec=spec | more, status={"phase": "Bound"})


def volumes(listed: Mapping[Kind, Sequence[Manifest]], *, retain: bool = False) -> Step:
    return volume_step({CLAIM: [], VOLUME: []} | dict(listed), EMPTY, driver=DRIVER, retain=retain)


def test_claims_go_and_their_volumes_are_awaited() -> None:
    released = volume("old", "gone")
    listed = {CLAIM: [thing("disk", "data")], VOLUME: [volume("v", "disk"), released]}
    found = volumes(listed)
    assert names(found.delete) == ["PersistentVolumeClaim data/disk"]
    assert names(found.left)[1:] == ["PersistentVolume old", "PersistentVolume v"]


def test_retained_data_stays_and_is_named() -> None:
    listed = {CLAIM: [thing("disk", "data")], VOLUME: [volume("v", "disk")]}
    found = volumes(listed, retain=True)
    assert found.left == found.delete == ()
    assert found.kept == ("disk vol-v of data/disk (PersistentVolume v) stays on AWS",)
    kept = {CLAIM: [thing("disk", "data")], VOLUME: [volume("v", "disk", "Retain")]}
    assert volumes(kept).left == ()
    assert volumes(kept).kept == found.kept


def test_disks_of_another_driver_and_of_nobody_are_left_alone() -> None:
    other = volume("n", "share", csi={"driver": "nfs.csi.k8s.io", "volumeHandle": "x"})
    unclaimed = volume("u", "never") | {"status": {"phase": "Available"}}
    assert volumes({CLAIM: [thing("share", "data")], VOLUME: [other, unclaimed]}) == Step()


def hooked(name: str, service: str | None, policy: str = "Fail") -> dict[str, Any]:
    client = {"service": {"namespace": "ops", "name": service}} if service else {"url": "https://x"}
    return thing(name, webhooks=[{"clientConfig": client, "failurePolicy": policy}])


def slice_of(service: str, *addresses: str) -> dict[str, Any]:
    endpoints = [{"addresses": [it], "conditions": {"ready": False}} for it in addresses]
    metadata = {"labels": {"kubernetes.io/service-name": service}}
    return thing(f"{service}-1", "ops", endpoints=endpoints, metadata=metadata)


def test_only_webhooks_that_refuse_and_that_nobody_answers_are_dead() -> None:
    listed = {
        VALIDATING: [
            hooked("gone", "nowhere"),
            hooked("empty", "empty"),
            hooked("starting", "starting"),
            hooked("outside", None),
            hooked("harmless", "nowhere", "Ignore"),
        ],
        MUTATING: [hooked("gone-too", "nowhere")],
        ENDPOINT_SLICE: [slice_of("empty"), slice_of("starting", "10.0.0.1")],
    }
    assert [it["metadata"]["name"] for _, it in dead_webhooks(listed)] == [
        "gone",
        "empty",
        "gone-too",
    ]


def test_a_configuration_with_one_live_webhook_stays() -> None:
    both = hooked("both", "nowhere")
    both["webhooks"] += hooked("", "up")["webhooks"]
    listed = {VALIDATING: [both], ENDPOINT_SLICE: [slice_of("up", "10.0.0.1")]}
    assert dead_webhooks(listed) == []


class Held:
    """A cluster in which one Service never goes, as nobody takes its finalizer away."""

    def __init__(self) -> None:
        self.deleted: list[str] = []

    def list(self, kind: Kind) -> list[Manifest]:
        if kind is not SERVICE:
            return []
        return [balanced("door", metadata=GOING if self.deleted else {})]

    def delete(self, kind: Kind, obj: Manifest) -> None:
        self.deleted.append(called(kind, obj))

    def patch(self, kind: Kind, obj: Manifest, change: Mapping[str, Any]) -> None:
        raise AssertionError(kind, obj, change)


def test_at_the_deadline_each_remaining_object_is_one_line_with_its_finalizers() -> None:
    cluster, said = Held(), list[str]()
    with pytest.raises(DrainError) as failed:
        drain(
            cluster,
            load_balancer_step,
            kinds=[SERVICE],
            way_out="see the log",
            deadline_seconds=0.05,
            tell=said.append,
        )
    assert cluster.deleted == ["Service shop/door"]
    (line,) = failed.value.lines
    assert "Service shop/door is held by finalizers: service.k8s.aws/resources; see the log" in line
    assert said == ["waiting for Service shop/door to go"]


def test_an_object_that_comes_back_is_told_from_one_that_is_held() -> None:
    assert "came back" in held(SERVICE, balanced("door"), way_out="x")


def test_a_drain_that_would_outlast_the_wait_for_nodes_is_refused() -> None:
    with pytest.raises(ValidationError, match="nodeDrainMinutes is 20 and must be less"):
        TeardownConfig(node_drain_minutes=20)
