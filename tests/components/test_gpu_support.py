"""GPUs for Pods: whole, shared, claimed; and what Karpenter and the API server make of it."""

from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from components.gpu_claim import (
    CLAIM_QUOTA,
    DEVICE_CLASS,
    GpuAlternative,
    GpuClaimConfig,
    claim_of_pod,
    claim_template_manifest,
    device_class_manifest,
)
from components.gpu_node_pool import GpuNodePoolConfig, NodePool, class_spec, pool_spec
from components.gpu_sharing import GpuSharing, overlay_manifests
from components.gpu_support import (
    DEFAULT_CLAIMS,
    GpuSupport,
    GpuSupportConfig,
    dcgm_exporter_values,
    device_plugin_values,
    dra_driver_values,
)
from local.kube import ApiError
from tests.harness.api_server import ApiServer
from tests.harness.recording import Recording, record
from tests.infra.stack_data import platform_data

SLICES = GpuSharing(time_slices=4)
MIG = GpuSharing(mig_profile="1g.10gb")


def pool(sharing: GpuSharing | None, *types: str) -> GpuNodePoolConfig:
    data = platform_data("prod")["gpuPools"]["gpu-inference-pool"]
    shared = sharing.model_dump(by_alias=True) if sharing else None
    return GpuNodePoolConfig.model_validate(
        data | {"instanceTypes": [*types], "sharing": shared, "limits": {"nvidia.com/gpu": "16"}}
    )


def charts(**options: Any) -> Recording:
    def build() -> dict[str, Any]:
        config = GpuSupportConfig(allocation=options.pop("allocation", "devicePlugin"))
        GpuSupport("gpu-support", config=config, **options)
        return {}

    return record(build)


def names(made: Recording) -> list[str]:
    return [it.name for it in made.of_type(":Release")]


@pytest.mark.unit
def test_gpu_agents_run_on_gpu_nodes_only_and_tolerate_their_taint() -> None:
    driver = dra_driver_values()["kubeletPlugin"]
    for values in (device_plugin_values(), dcgm_exporter_values(), driver):
        assert values["nodeSelector"] == {"karpenter.k8s.aws/instance-gpu-manufacturer": "nvidia"}
        assert values["tolerations"][0]["key"] == "nvidia.com/gpu"


@pytest.mark.unit
def test_device_plugin_and_dra_driver_never_run_side_by_side() -> None:
    # charts register side by side, in no order
    assert set(names(charts())) == {"nvidia-device-plugin", "dcgm-exporter"}
    assert set(names(charts(allocation="dra"))) == {"nvidia-dra-driver-gpu", "dcgm-exporter"}


@pytest.mark.unit
def test_nodes_with_fabric_interfaces_get_their_plugin_whatever_their_taints() -> None:
    made = charts(efa_types=["p5.48xlarge", "p4d.24xlarge", "p5.48xlarge"])
    (plugin,) = [it for it in made.of_type(":Release") if it.name.startswith("aws-efa")]
    values = plugin.inputs["values"]
    assert values["supportedInstanceLabels"]["values"] == ["p4d.24xlarge", "p5.48xlarge"]
    assert values["tolerations"] == [{"operator": "Exists"}]
    assert "aws-efa-k8s-device-plugin" not in names(
        charts(efa_types=["p5.48xlarge"], auto_mode=True)
    )


@pytest.mark.unit
def test_auto_mode_brings_a_device_plugin_of_its_own() -> None:
    made = charts(auto_mode=True)
    assert names(made) == ["dcgm-exporter"]
    (exporter,) = made.of_type(":Release")
    selector = exporter.inputs["values"]["nodeSelector"]
    assert selector == {"eks.amazonaws.com/instance-gpu-manufacturer": "nvidia"}


@pytest.mark.unit
def test_each_way_of_sharing_is_a_configuration_that_its_nodes_choose() -> None:
    config = device_plugin_values([SLICES, MIG, SLICES])["config"]
    settings = {name: yaml.safe_load(text) for name, text in config["map"].items()}
    assert config["default"] == "whole"
    assert settings == {
        "whole": {"version": "v1"},
        "mig": {"version": "v1", "flags": {"migStrategy": "mixed"}},
        "time-slices-4": {
            "version": "v1",
            "sharing": {
                "timeSlicing": {
                    "renameByDefault": True,
                    "resources": [{"name": "nvidia.com/gpu", "replicas": 4}],
                }
            },
        },
    }
    for sharing, types in ((SLICES, ("g5.48xlarge",)), (MIG, ("p5.48xlarge",))):
        labels = pool_spec(pool(sharing, *types))["template"]["metadata"]["labels"]
        assert labels["nvidia.com/device-plugin.config"] in settings


@pytest.mark.unit
def test_karpenter_learns_what_a_node_with_shared_gpus_offers() -> None:
    overlays = overlay_manifests("p", SLICES, ("g5.48xlarge", "g5.12xlarge", "p5.48xlarge"))
    found = {
        tuple(it["spec"]["requirements"][1]["values"]): it["spec"]["capacity"] for it in overlays
    }
    assert found == {
        ("g5.48xlarge", "p5.48xlarge"): {"nvidia.com/gpu.shared": "32"},
        ("g5.12xlarge",): {"nvidia.com/gpu.shared": "16"},
    }
    limits = pool_spec(pool(SLICES, "g5.48xlarge"))["limits"]
    assert limits == {"nvidia.com/gpu": "16", "nvidia.com/gpu.shared": "64"}


@pytest.mark.unit
def test_gpus_are_split_before_the_kubelet_starts_and_counted_in_slices() -> None:
    config = pool(MIG, "p5.48xlarge")
    script = class_spec(config, cluster="c", node_role="r")["userData"]
    assert f"nvidia-smi mig -cgi {','.join(['1g.10gb'] * 7)} -C" in script
    assert pool_spec(config)["limits"]["nvidia.com/mig-1g.10gb"] == str(16 * 7)
    (overlay,) = overlay_manifests("p", MIG, config.instance_types)
    assert overlay["spec"]["capacity"] == {"nvidia.com/mig-1g.10gb": "56"}


@pytest.mark.unit
@pytest.mark.parametrize(
    ("sharing", "types", "message"),
    [
        (MIG, ("g5.48xlarge",), "has no MIG profile '1g.10gb'; allowed there: none"),
        (GpuSharing(mig_profile="1g.5gb"), ("p5.48xlarge",), "allowed there: 1g.10gb, 1g.20gb"),
        (MIG, ("p4d.24xlarge", "p5.48xlarge"), "make a pool for each"),
        (SLICES, ("p9.48xlarge",), "is not in inference/instances.json"),
    ],
)
def test_gpus_that_can_not_be_shared_so_are_refused(
    sharing: GpuSharing, types: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        pool(sharing, *types)


@pytest.mark.unit
@pytest.mark.parametrize("given", [{}, {"timeSlices": 2, "migProfile": "1g.10gb"}])
def test_gpus_are_shared_in_exactly_one_way(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="exactly one of"):
        GpuSharing.model_validate(given)


@pytest.mark.unit
def test_a_pool_waits_for_what_tells_karpenter_of_its_shares() -> None:
    def build() -> dict[str, Any]:
        shared = pool(SLICES, "g5.48xlarge")
        NodePool("shared-pool", config=shared, cluster="c", node_role="r")
        return {}

    kinds = [it.type.rsplit(":", 1)[1] for it in record(build).resources]
    assert kinds.index("NodeOverlay") < len(kinds) - 1
    assert kinds[-1] == "NodePool"


@pytest.mark.api_server
def test_the_api_server_takes_overlays_and_refuses_to_override_memory(
    api_server: ApiServer,
) -> None:
    api_server.load_crds("nodeoverlays.karpenter.sh")
    (overlay,) = overlay_manifests("gpu-inference-pool", SLICES, ("g5.48xlarge",))
    api_server.dry_run(overlay)
    overlay["spec"]["capacity"] = {"memory": "1Ti"}
    with pytest.raises(ApiError, match="invalid resource restricted"):
        api_server.dry_run(overlay)


def pod(namespace: str, template: str) -> dict[str, Any]:
    of_pod, resources = claim_of_pod(template)
    container = {"name": "c", "image": "registry.example.com/c:1", "resources": resources}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "claiming", "namespace": namespace},
        "spec": of_pod | {"containers": [container]},
    }


@pytest.mark.api_server
def test_the_api_server_takes_claims_with_alternatives_in_order(api_server: ApiServer) -> None:
    api_server.dry_run(device_class_manifest())
    (name,) = DEFAULT_CLAIMS
    template = claim_template_manifest(name, DEFAULT_CLAIMS[name], namespace="claims")
    stored = api_server.dry_run(template)
    (request,) = stored["spec"]["spec"]["devices"]["requests"]
    assert [it["name"] for it in request["firstAvailable"]] == ["h100", "a100", "two-a10g"]
    api_server.dry_run(pod("claims", name))


@pytest.mark.api_server
def test_the_api_server_refuses_a_claim_whose_condition_does_not_compile(
    api_server: ApiServer,
) -> None:
    config = GpuClaimConfig(alternatives=(GpuAlternative(name="any", memory_gib=40),))
    template = claim_template_manifest("any", config, namespace="claims")
    api_server.dry_run(template)
    request = template["spec"]["spec"]["devices"]["requests"][0]["firstAvailable"][0]
    request["selectors"][0]["cel"]["expression"] = "device.capacity.memory >"
    with pytest.raises(ApiError, match=r"CEL|Syntax error"):
        api_server.dry_run(template)


@pytest.mark.api_server
def test_a_quota_bounds_claimed_gpus_exactly(api_server: ApiServer) -> None:
    namespace = api_server.namespace("claimed-gpus")
    api_server.client.apply(device_class_manifest())
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "gpus", "namespace": namespace},
        "spec": {"hard": {CLAIM_QUOTA: "4"}},
    }
    api_server.client.apply(quota)
    api_server.client.wait(
        "v1",
        "ResourceQuota",
        "gpus",
        namespace,
        until=lambda found: bool(found and found.get("status", {}).get("hard")),
    )

    def claim(count: int) -> dict[str, Any]:
        exactly = {"deviceClassName": DEVICE_CLASS, "count": count}
        return {
            "apiVersion": "resource.k8s.io/v1",
            "kind": "ResourceClaim",
            "metadata": {"name": f"claim-{count}", "namespace": namespace},
            "spec": {"devices": {"requests": [{"name": "gpu", "exactly": exactly}]}},
        }

    api_server.dry_run(claim(4))
    with pytest.raises(ApiError, match="exceeded quota: gpus"):
        api_server.dry_run(claim(5))
