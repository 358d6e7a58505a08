"""What a stack costs: numbers worked out by hand beside those of the program."""

import json
from typing import Any

import pytest

from inference.instances import instance_table
from local.engine.events import EngineResult, Step
from local.preview.cost import Cost, estimate, known_prices
from local.preview.outcome import Outcome
from local.preview.pool_cost import Resource, gpus_at_rest, pool_costs
from tests.infra.platforms import AUTO_MODE, built
from tests.infra.stack_data import platform_data

pytestmark = pytest.mark.unit

TYPES = instance_table().types


def usd(name: str) -> float:
    price = TYPES[name].usd_per_hour
    assert price
    return price


def pool(limits: dict[str, str], *types: str, **more: Any) -> Resource:
    wanted = [{"key": "node.kubernetes.io/instance-type", "operator": "In", "values": [*types]}]
    spec = {"template": {"spec": {"requirements": wanted}}, "limits": limits, **more}
    return Resource(
        "kubernetes:karpenter.sh/v1:NodePool", {"metadata": {"name": "pool"}, "spec": spec}
    )


def server(gpus: str, *, name: str = "m", **spec: Any) -> Resource:
    container = {"name": "m", "resources": {"limits": {"nvidia.com/gpu": gpus}}}
    pod = {"containers": [container], "nodeSelector": {"karpenter.sh/nodepool": "pool"}}
    inputs = {
        "metadata": {"name": name, "namespace": "n"},
        "spec": {"template": {"spec": pod}, **spec},
    }
    return Resource("kubernetes:apps/v1:Deployment", inputs)


def scaler(target: str, least: int) -> Resource:
    spec = {"scaleTargetRef": {"name": target}, "minReplicaCount": least}
    inputs = {"metadata": {"name": "s", "namespace": "n"}, "spec": spec}
    return Resource("kubernetes:keda.sh/v1alpha1:ScaledObject", inputs)


def test_a_limit_of_gpus_is_filled_with_the_dearest_type() -> None:
    (found,) = pool_costs([pool({"nvidia.com/gpu": "64"}, "p4d.24xlarge", "p5.48xlarge")])
    assert found.most == pytest.approx(8 * max(usd("p4d.24xlarge"), usd("p5.48xlarge")))
    assert found.least == 0


def test_the_limit_that_bites_first_counts_and_a_part_of_a_node_counts_as_one() -> None:
    (found,) = pool_costs([pool({"cpu": "9", "memory": "800Gi"}, "m5.xlarge")])
    assert TYPES["m5.xlarge"].vcpu == 4
    assert found.most == pytest.approx(3 * usd("m5.xlarge"))


def test_model_servers_hold_gpus_at_rest_on_the_cheapest_type() -> None:
    made = [
        pool({"nvidia.com/gpu": "64"}, "p5.48xlarge", "g5.48xlarge"),
        server("4", replicas=2),
        server("1", name="scaled"),
        scaler("scaled", 3),
        server("8", name="asleep", replicas=0),
    ]
    assert gpus_at_rest(made) == {"pool": 11}
    assert pool_costs(made)[0].least == pytest.approx(11 * usd("g5.48xlarge") / 8)


def test_a_static_pool_costs_its_nodes() -> None:
    (found,) = pool_costs([pool({"nodes": "3"}, "p5.48xlarge", replicas=2)])
    assert (found.least, found.most) == (2 * usd("p5.48xlarge"), 3 * usd("p5.48xlarge"))


def cost(stack: str, *more: Resource) -> Cost:
    return estimate([*(Resource(it.type, it.inputs) for it in built(stack).resources), *more])


def test_prod_costs_what_its_file_says() -> None:
    data = platform_data("prod")
    found = {item.what: item for item in cost("prod").items}
    zones = len(data["network"]["availabilityZones"])
    endpoints = len(data["network"]["interfaceEndpoints"]) * zones
    assert found[f"{zones} x NAT gateway"].least == pytest.approx(zones * 0.045)
    assert found[f"{endpoints} x interface endpoint in a zone"].least == pytest.approx(
        endpoints * 0.01
    )
    gpus = sum(it["gpus"] * it["replicas"] for it in data["modelServers"].values())
    line = found[f"pool gpu-inference-pool, {gpus} GPUs at rest"]
    assert 0 < line.least < line.most


def test_auto_mode_has_its_share_of_nodes_alone() -> None:
    plain = Resource("aws:eks/cluster:Cluster", {})
    auto = Resource("aws:eks/cluster:Cluster", {"computeConfig": {"enabled": True}})
    without, with_fee = cost(AUTO_MODE, plain), cost(AUTO_MODE, auto)
    for before, after in zip(without.items, with_fee.items, strict=True):
        share = 1.12 if before.what.startswith("pool") else 1.0
        assert after.most == pytest.approx(before.most * share)


def test_the_sum_comes_first_and_the_caveats_last() -> None:
    said = cost("prod").lines()
    assert said[0].startswith("at rest $")
    assert "without traffic" in said[-1]
    assert known_prices().date in said[-1]


def test_a_stack_without_anything_to_pay_for_says_nothing() -> None:
    assert cost("local").lines() == []
    assert cost("tenant-a").lines() == []


def test_a_preview_tells_it_in_each_of_its_forms() -> None:
    made = pool({"nvidia.com/gpu": "64"}, "p5.48xlarge")
    gone = pool({"nvidia.com/gpu": "64"}, "p4d.24xlarge")
    steps = [
        Step("urn::a", made.type, "create", inputs=made.inputs),
        Step("urn::b", gone.type, "delete", inputs=gone.inputs),
    ]
    outcome = Outcome("dev", EngineResult(ok=True, steps=steps))
    most = round(8 * usd("p5.48xlarge"), 3)
    assert json.loads(outcome.json_text())["cost"]["usdPerHourAtMost"] == most
    for text in (outcome.text(), outcome.markdown()):
        assert f"pool pool: $0.00 to ${most:,.2f}" in text
