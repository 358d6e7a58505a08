"""Rules between pools, region and GPU support: one clear line each, before anything is made."""

from collections.abc import Callable
from typing import Any

import pulumi
import pytest

from infra.config import PlatformConfig, parse
from tests.infra.stack_data import platform_data

pytestmark = pytest.mark.unit

GPU = "gpu-inference-pool"
Change = Callable[[dict[str, Any]], None]


def refused(change: Change, *, region: str = "us-west-2") -> list[str]:
    data = platform_data("prod")
    change(data)
    with pytest.raises(pulumi.RunError) as caught:
        parse(data, PlatformConfig, region=region)
    return str(caught.value).splitlines()[1:]


def pool_with(**keys: Any) -> Change:
    return lambda data: data["gpuPools"][GPU].update(keys)


def claims(data: dict[str, Any]) -> None:
    data["gpuSupport"]["allocation"] = "dra"


def test_a_type_that_the_region_lacks_is_refused_with_regions_that_have_it() -> None:
    lines = refused(
        pool_with(instanceTypes=["p6-b200.48xlarge", "p4de.24xlarge"]), region="eu-west-3"
    )
    (line,) = [line for line in lines if line.startswith("gpuPools") and "'p4de" in line]
    assert line.startswith(f"gpuPools.{GPU}.instanceTypes: got 'p4de.24xlarge', which aws:region")
    assert "eu-west-3" in line
    assert "us-east-1" in line
    assert not [line for line in lines if "'p6-b200" in line]


def test_a_zone_without_a_subnet_is_refused() -> None:
    (line,) = refused(pool_with(zones=["us-west-2d"]))
    assert line.startswith(f"gpuPools.{GPU}.zones: got 'us-west-2d'")
    assert "us-west-2a, us-west-2b, us-west-2c" in line


def test_a_model_server_on_a_pool_that_is_not_there_is_refused() -> None:
    def change(data: dict[str, Any]) -> None:
        data["modelServers"]["embedding"]["nodePool"] = "gpu-inference-pol"

    (line,) = refused(change)
    assert line.startswith("modelServers.embedding.nodePool: got 'gpu-inference-pol'; allowed: gpu")


def test_a_model_server_larger_than_any_node_of_its_pool_is_refused() -> None:
    lines = refused(pool_with(instanceTypes=["g5.12xlarge"]))
    assert [line.split(":")[0] for line in lines] == ["modelServers.tgi-mixtral.gpus"]
    assert "the largest node of 'gpu-inference-pool' has 4" in lines[0]


@pytest.mark.parametrize(
    ("keys", "gate"),
    [
        ({"staticNodes": 1, "limits": {"nodes": "1"}}, "staticCapacity"),
        ({"sharing": {"timeSlices": 4}}, "nodeOverlay"),
    ],
)
def test_alpha_features_are_switched_on_by_name(keys: dict[str, Any], gate: str) -> None:
    (line,) = refused(pool_with(**keys))
    assert f"needs karpenter.{gate}: true" in line

    def allowed(data: dict[str, Any]) -> None:
        pool_with(**keys)(data)
        data["karpenter"][gate] = True

    data = platform_data("prod")
    allowed(data)
    parse(data, PlatformConfig, region="us-west-2")


def test_claims_on_pools_that_karpenter_sizes_are_refused_with_the_reason() -> None:
    lines = refused(claims)
    pools = [line for line in lines if f"gpuPools.{GPU}," in line]
    assert len(pools) == 1
    assert "does not see resource claims" in pools[0]
    assert "staticNodes" in pools[0]
    assert any("nothing would bound the GPUs there" in line for line in lines)


def test_claims_on_static_pools_are_accepted() -> None:
    data = platform_data("prod")
    claims(data)
    data["gpuPools"][GPU] |= {"staticNodes": 2, "limits": {"nodes": "2"}}
    data["karpenter"]["staticCapacity"] = True
    data["namespaces"] = {
        "ai-inference": {
            "podSecurity": "privileged",
            "quota": {
                "name": "ai-inference-quota",
                "hard": {"agentic-gpu.deviceclass.resource.k8s.io/devices": "16"},
            },
        }
    }
    models = {"embedding": {"engine": "scripted", "model": "m", "script": "s.yaml"}}
    data["modelServers"] = models
    data["gateway"]["models"] = [
        {"name": name, "backends": [{"service": "embedding"}]}
        for name in ("gemma-3-270m", "all-minilm-l6-v2")
    ]
    parse(data, PlatformConfig, region="us-west-2")
