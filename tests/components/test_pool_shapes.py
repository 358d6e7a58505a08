"""Every shape of pool that a stack file can ask for, and the ones that contradict themselves."""

from typing import Any

import pytest
from pydantic import ValidationError

from components.gpu_node_pool import GpuNodePoolConfig, class_spec, pool_spec
from tests.components.test_node_pool import KARPENTER, node_class, node_pool
from tests.harness.api_server import ApiServer
from tests.infra.stack_data import platform_data


def altered(**change: Any) -> dict[str, Any]:
    """The GPU pool of prod with other data; a mapping changes single keys of one."""
    data: dict[str, Any] = platform_data("prod")["gpuPools"]["gpu-inference-pool"]
    for key, value in change.items():
        merge = isinstance(value, dict) and isinstance(data.get(key), dict) and key != "limits"
        data[key] = {**data[key], **value} if merge else value
    return data


BLOCK = {
    "instanceTypes": ["p5.48xlarge"],
    "capacityTypes": ["reserved", "spot", "on-demand"],
    "reservationTypes": ["capacity-block"],
    "zones": ["us-west-2a"],
    "nodeClass": {"reservations": [{"id": "cr-0abc"}, {"tags": {"team": "ai"}}]},
}
BUDGETS = [
    {"nodes": "20%"},
    {"nodes": "0", "reasons": ["Drifted"], "schedule": "0 9 * * mon-fri", "duration": "8h"},
]
FABRIC = {"instanceTypes": ["p5.48xlarge"], "nodeClass": {"efa": True, "localDisks": True}}
STATIC = {
    "instanceTypes": ["p5.48xlarge"],
    "staticNodes": 2,
    "limits": {"nodes": "2"},
    "taints": [],
    "startupTaints": [{"key": "node.cilium.io/agent-not-ready", "effect": "NoExecute"}],
    "terminationGracePeriod": "1h",
}
SHAPES = {
    "capacity block": BLOCK,
    "budgets with a schedule": {"disruption": {"budgets": BUDGETS, "policy": "Balanced"}},
    "every fabric adapter": FABRIC,
    "static": STATIC,
    "weighed": {"weight": 100},
}


@pytest.mark.api_server
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_api_server_takes_each_shape_of_pool(
    api_server: ApiServer, shape: dict[str, Any]
) -> None:
    api_server.load_crds(*KARPENTER)
    config = GpuNodePoolConfig.model_validate(altered(**shape))
    api_server.dry_run(node_pool(pool_spec(config)))
    api_server.dry_run(node_class(class_spec(config, cluster="ai-cluster", node_role="nodes")))


@pytest.mark.unit
def test_paid_capacity_is_found_by_its_reservations_and_falls_back_to_spot() -> None:
    config = GpuNodePoolConfig.model_validate(altered(**BLOCK))
    wanted = {
        it["key"]: it["values"] for it in pool_spec(config)["template"]["spec"]["requirements"]
    }
    assert wanted["karpenter.sh/capacity-type"] == ["reserved", "spot", "on-demand"]
    assert wanted["karpenter.k8s.aws/capacity-reservation-type"] == ["capacity-block"]
    assert wanted["topology.kubernetes.io/zone"] == ["us-west-2a"]
    spec = class_spec(config, cluster="c", node_role="r")
    assert spec["capacityReservationSelectorTerms"] == [{"id": "cr-0abc"}, {"tags": {"team": "ai"}}]


@pytest.mark.unit
def test_every_card_of_a_p5_gets_an_adapter_and_one_address_is_used() -> None:
    config = GpuNodePoolConfig.model_validate(altered(**FABRIC))
    interfaces = class_spec(config, cluster="c", node_role="r")["networkInterfaces"]
    kinds = [it["interfaceType"] for it in interfaces]
    assert kinds.count("interface") == 1
    assert kinds.count("efa-only") == 32
    assert {it["networkCardIndex"] for it in interfaces} == set(range(32))


CONTRADICTIONS = {
    "reserved without reservations": ({"capacityTypes": ["reserved"]}, "without nodeClass.reserv"),
    "reservations that nothing uses": (
        {"nodeClass": {"reservations": [{"id": "cr-1"}]}},
        "still billed",
    ),
    "reservation types without reserved": ({"reservationTypes": ["default"]}, "add it or remove"),
    "a type of another architecture": (
        {"instanceTypes": ["g5g.xlarge"]},
        "'g5g.xlarge', which is arm64",
    ),
    "fabric on types that differ": ({"nodeClass": {"efa": True}}, "split the pool"),
    "a type without GPUs": ({"instanceTypes": ["m6i.large"]}, "move it to cpuPools"),
    "a limit below one node": ({"limits": {"nvidia.com/gpu": "4"}}, "could never be bought"),
    "a limit in something else": ({"limits": {"cpu": "100"}}, "limits must name 'nvidia.com/gpu'"),
    "half a GPU": ({"limits": {"nvidia.com/gpu": "500m"}}, "whole number of GPUs"),
    "a static pool with a GPU limit": ({"staticNodes": 1}, "limits of 'nodes' only"),
    "more static nodes than allowed": (
        {"staticNodes": 3, "limits": {"nodes": "2"}},
        "raise limits.nodes",
    ),
    "a schedule without duration": (
        {"disruption": {"budgets": [{"nodes": "0", "schedule": "0 9 * * *"}]}},
        "schedule and duration go together",
    ),
    "a budget above 100 %": ({"disruption": {"budgets": [{"nodes": "120%"}]}}, "nodes"),
    "a reservation by id and tags": (
        {
            "capacityTypes": ["reserved"],
            "nodeClass": {"reservations": [{"id": "cr-1", "tags": {"a": "b"}}]},
        },
        "exactly one of 'id' and 'tags'",
    ),
    "a weight above 100": ({"weight": 101}, "weight"),
}


@pytest.mark.unit
@pytest.mark.parametrize(("change", "message"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_a_pool_that_contradicts_itself_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        GpuNodePoolConfig.model_validate(altered(**change))
