"""What only EKS needs inside the cluster: certificates, mesh, volumes, GPU agents."""

from typing import Any

import pytest

from components.cert_manager import INTERNAL_ISSUER, authority_manifests
from components.service_mesh import (
    PLAIN_TEXT_DOORS,
    ServiceMesh,
    ServiceMeshConfig,
    door_manifest,
    istiod_values,
    peer_authentication_manifest,
)
from components.storage_class import storage_class_manifest
from local.kube import ApiError
from tests.harness.api_server import ApiServer
from tests.harness.recording import record

STRICT = ServiceMeshConfig(mtls="STRICT", replicas=2)


@pytest.mark.api_server
def test_the_api_server_takes_the_authority_and_the_meshs_policy(api_server: ApiServer) -> None:
    api_server.load_crds(
        "certificates.cert-manager.io",
        "clusterissuers.cert-manager.io",
        "peerauthentications.security.istio.io",
    )
    doors = [door_manifest(door, namespace="default") for door in PLAIN_TEXT_DOORS]
    for manifest in (*authority_manifests(), peer_authentication_manifest(STRICT), *doors):
        api_server.dry_run(manifest)


@pytest.mark.api_server
def test_the_api_server_refuses_an_unknown_mode_of_the_mesh(api_server: ApiServer) -> None:
    api_server.load_crds("peerauthentications.security.istio.io")
    manifest = peer_authentication_manifest(STRICT)
    manifest["spec"]["mtls"]["mode"] = "SOMETIMES"
    with pytest.raises(ApiError, match="SOMETIMES"):
        api_server.dry_run(manifest)


@pytest.mark.api_server
def test_the_api_server_takes_the_default_storage_class(api_server: ApiServer) -> None:
    made = api_server.dry_run(storage_class_manifest("gp3"))
    assert made["parameters"]["encrypted"] == "true"


@pytest.mark.unit
def test_the_root_signs_before_anything_asks_the_issuer() -> None:
    names = [manifest["metadata"]["name"] for manifest in authority_manifests()]
    assert names == ["self-signed", "internal-root", INTERNAL_ISSUER]


@pytest.mark.unit
def test_the_meshs_plugin_spares_pods_an_init_container_that_restricted_refuses() -> None:
    assert istiod_values(STRICT)["pilot"]["cni"]["enabled"] is True

    def build() -> dict[str, Any]:
        ServiceMesh("service-mesh", config=STRICT)
        return {}

    releases = [it.inputs["chart"] for it in record(build).of_type(":Release")]
    assert releases == ["base", "cni", "istiod"]


@pytest.mark.unit
def test_who_stands_outside_the_mesh_reaches_the_gateway_and_the_agents_metrics() -> None:
    opened = {door.namespace: set(door.ports) for door in PLAIN_TEXT_DOORS}
    assert opened == {"ai-gateway": {8080, 8443, 9091}, "ai-agents": {9090}}
    spec = door_manifest(PLAIN_TEXT_DOORS[1], namespace="ai-agents")["spec"]
    assert spec["selector"] == {"matchLabels": {"app": "kagent"}}
    assert spec["portLevelMtls"] == {"9090": {"mode": "PERMISSIVE"}}
