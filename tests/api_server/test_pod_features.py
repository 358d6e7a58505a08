"""What the platform relies on of Kubernetes 1.33 and 1.34, shown by a real API server."""

from typing import Any

import pytest

from components.inference_service import manifest as inference_service
from components.pod_features import RESIZE_IN_PLACE
from components.service_mesh import ServiceMeshConfig, istiod_values
from local.kube import ApiError
from tests.harness.api_server import ApiServer
from tests.harness.manifests import manifests

pytestmark = pytest.mark.api_server


def pod(name: str, **spec: Any) -> dict[str, Any]:
    containers = [{"name": "agent", "image": "registry.example.com/agent:1"}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "pod-features"},
        "spec": {"containers": containers} | spec,
    }


def sidecar(**fields: Any) -> dict[str, Any]:
    probe = {"httpGet": {"path": "/healthz/ready", "port": 15021}}
    plain = {"name": "proxy", "image": "registry.example.com/proxy:1", "readinessProbe": probe}
    return plain | fields


def test_the_meshs_sidecars_live_as_long_as_their_pod(api_server: ApiServer) -> None:
    values = istiod_values(ServiceMeshConfig(mtls="STRICT"))
    assert values["pilot"]["env"] == {"ENABLE_NATIVE_SIDECARS": "true"}
    native = pod("native", initContainers=[sidecar(restartPolicy="Always")])
    stored = api_server.dry_run(native)
    assert stored["spec"]["initContainers"][0]["restartPolicy"] == "Always"
    with pytest.raises(ApiError, match="may not be set for init containers without"):
        api_server.dry_run(pod("plain", initContainers=[sidecar()]))


def test_an_agents_cpu_grows_in_place_and_its_memory_by_a_restart(api_server: ApiServer) -> None:
    (agent,) = [
        each
        for each in manifests("local")
        if each["kind"] == "Deployment" and each["metadata"]["name"] == "customer-support-agent"
    ]
    (container,) = agent["spec"]["template"]["spec"]["containers"]
    assert container["resizePolicy"] == RESIZE_IN_PLACE

    small = {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "64Mi"}}
    large = {"requests": {"cpu": "200m", "memory": "64Mi"}, "limits": {"memory": "64Mi"}}
    running = pod("resized")
    api_server.dry_run(running)
    running["spec"]["containers"][0] |= {"resources": small, "resizePolicy": RESIZE_IN_PLACE}
    api_server.client.apply(running)
    change = {"spec": {"containers": [{"name": "agent", "resources": large}]}}

    def patch(**where: str) -> dict[str, Any]:
        named = ("v1", "Pod", "resized", change, "pod-features")
        return api_server.client.patch(*named, patch_type="strategic", **where)

    with pytest.raises(ApiError, match="pod updates may not change fields"):
        patch()
    resized = patch(subresource="resize")
    assert resized["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "200m"
    api_server.client.delete("v1", "Pod", "resized", "pod-features")


def test_requests_for_models_stay_in_their_zone_where_they_can(api_server: ApiServer) -> None:
    stored = api_server.dry_run(inference_service(namespace="pod-features"))
    assert stored["spec"]["trafficDistribution"] == "PreferClose"
    assert stored["metadata"]["annotations"]["service.kubernetes.io/topology-mode"] == "Auto"
    wrong = inference_service(namespace="pod-features")
    wrong["spec"]["trafficDistribution"] = "PreferFar"
    with pytest.raises(ApiError, match="PreferFar"):
        api_server.dry_run(wrong)


def test_a_projected_token_is_short_lived_and_for_one_audience(api_server: ApiServer) -> None:
    """kagent mounts such a token into the agents that it starts (`kagent-token`)."""
    token = {"audience": "kagent", "expirationSeconds": 3600, "path": "kagent-token"}

    def volume(**change: Any) -> list[dict[str, Any]]:
        sources = [{"serviceAccountToken": token | change}]
        return [{"name": "tokens", "projected": {"sources": sources}}]

    stored = api_server.dry_run(pod("projected", volumes=volume()))
    (kept,) = [each for each in stored["spec"]["volumes"] if each["name"] == "tokens"]
    assert kept["projected"]["sources"][0]["serviceAccountToken"] == token
    with pytest.raises(ApiError, match="less than 10 minutes"):
        api_server.dry_run(pod("projected", volumes=volume(expirationSeconds=60)))
