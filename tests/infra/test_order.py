"""What waits for what on a cluster that has nothing yet, and so what goes first on the way down."""

import pytest

from tests.harness.recording import Recording
from tests.infra.platforms import AUTO_MODE, built

pytestmark = pytest.mark.unit

BEFORE_ANY_NODE = {"karpenter", "cilium"}
"""They make nodes possible; all others would wait for Pods that find none."""
NO_PODS = ("-crd", "-crds", "-base")


def urns(made: Recording, kind: str) -> dict[str, str]:
    """Name to URN of the resources whose type token ends so."""
    return {
        urn.rsplit("::", 1)[1]: urn
        for urn in made.waits
        if urn.split("::")[2].rsplit("$", 1)[-1].endswith(kind)
    }


@pytest.mark.parametrize("name", ["dev", "prod", AUTO_MODE, "local"])
def test_every_object_waits_for_its_namespace(name: str) -> None:
    made = built(name)
    spaces = urns(made, ":core/v1:Namespace")
    early = [
        (each.type, each.name)
        for each in made.resources
        if each.type.startswith("kubernetes:")
        and (space := (each.inputs.get("metadata") or {}).get("namespace")) in spaces
        and spaces[space] not in made.before(urns(made, each.type)[each.name])
    ]
    assert early == []


@pytest.mark.parametrize("name", ["prod", AUTO_MODE])
def test_every_chart_waits_until_its_pods_find_a_node(name: str) -> None:
    made = built(name)
    pools = set(urns(made, "/v1:NodePool").values())
    assert pools
    early = [
        chart
        for chart, urn in urns(made, ":Release").items()
        if chart not in BEFORE_ANY_NODE
        and not chart.endswith(NO_PODS)
        and not made.before(urn) >= pools
    ]
    assert early == []


@pytest.mark.parametrize("name", ["prod", AUTO_MODE])
def test_pods_of_the_platform_wait_for_nodes_disks_and_priority_classes(name: str) -> None:
    made = built(name)
    wanted = {
        *urns(made, "/v1:NodePool").values(),
        *urns(made, ":StorageClass").values(),
        *urns(made, ":PriorityClass").values(),
    }
    for kind in (":Deployment", ":StatefulSet", ":Job"):
        for pod, urn in urns(made, kind).items():
            missing = wanted - made.before(urn)
            assert not missing, (pod, missing)


def test_the_gateway_goes_before_the_controller_of_its_load_balancer() -> None:
    made = built("prod")
    (gateway,) = urns(made, "gateway.networking.k8s.io/v1:Gateway").values()
    controller = urns(made, ":Release")["load-balancer-controller"]
    assert controller in made.before(gateway)


def test_pools_go_before_the_controller_that_drains_their_nodes() -> None:
    made = built("prod")
    controller = urns(made, ":Release")["karpenter"]
    entry = urns(made, ":AccessEntry")["karpenter-node"]
    for pool in urns(made, "/v1:NodePool").values():
        assert {controller, entry} <= made.before(pool)


def test_pods_with_an_identity_on_aws_start_after_its_association() -> None:
    made = built("prod")
    associations = urns(made, ":PodIdentityAssociation")
    charts = urns(made, ":Release")
    for chart, identity in {
        "karpenter": "karpenter",
        "load-balancer-controller": "load-balancer-controller",
        "secret-operator": "secret-operator",
        "vector-store": "vector-store-bucket",
        "langfuse": "tracing-bucket",
    }.items():
        assert associations[identity] in made.before(charts[chart]), chart


def test_nodes_start_after_the_agents_that_make_them_ready() -> None:
    made = built("prod")
    addons = urns(made, ":Addon")
    (group,) = urns(made, ":NodeGroup").values()
    agents = {addons[it] for it in ("vpc-cni", "kube-proxy", "eks-pod-identity-agent")}
    assert agents <= made.before(group)
    assert group in made.before(addons["coredns"])


@pytest.mark.parametrize("name", ["dev", "prod", AUTO_MODE])
def test_kinds_that_the_engine_does_not_know_are_awaited_by_a_condition(name: str) -> None:
    awaited = {"/v1:NodePool": "condition=Ready", "/v1:Gateway": "condition=Programmed"}
    for kind, condition in awaited.items():
        objects = built(name).of_type(kind)
        found = {each.inputs["metadata"]["annotations"]["pulumi.com/waitFor"] for each in objects}
        assert found == {condition}
