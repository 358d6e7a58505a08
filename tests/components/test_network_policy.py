"""Every flow that the platform needs is open on both sides, and little else is."""

from typing import Any

import pytest

from components.network_policy import NetworkPolicies, namespace_policies
from components.tenant_policy import platform_access_manifest, tenant_isolation_manifest
from components.traffic import FLOWS, PLATFORM, TENANT_LABEL, TrafficConfig, flows
from tests.harness.policy_evaluation import Place, permits
from tests.harness.recording import record

pytestmark = pytest.mark.unit

CLOUD = TrafficConfig(cloud_cidr="10.20.0.0/16", mesh=True)
TENANT = Place(namespace="tenant-a", labels={TENANT_LABEL: "tenant-a"})
OTHER_TENANT = Place(namespace="tenant-b", labels={TENANT_LABEL: "tenant-b"})
OUTSIDE = {
    "clients": Place(address="203.0.113.7"),
    "internet": Place(address="203.0.113.7"),
    "identity": Place(address="169.254.170.23"),
    "cloud": Place(address="10.20.3.4"),
    "tenants": TENANT,
    "cluster": Place(namespace="kube-system"),
}


def policies(config: TrafficConfig = CLOUD) -> list[dict[str, Any]]:
    made = [
        policy for name in PLATFORM for policy in namespace_policies(name, config, namespace=name)
    ]
    for tenant in (TENANT, OTHER_TENANT):
        assert tenant.namespace is not None
        made.append(tenant_isolation_manifest(namespace=tenant.namespace))
        made.append(platform_access_manifest(namespace=tenant.namespace))
    return made


def place(name: str) -> Place:
    return OUTSIDE.get(name) or Place(namespace=name)


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: f"{flow.source}-{flow.target}")
def test_each_flow_of_the_table_is_open_on_both_sides(flow: Any) -> None:
    everything = policies(CLOUD.model_copy(update={"endpoint_pickers": True}))
    for port in flow.ports or (1, 65535):
        assert permits(everything, place(flow.source), place(flow.target), port), (flow, port)


@pytest.mark.parametrize("name", PLATFORM)
def test_names_resolve_everywhere(name: str) -> None:
    for protocol in ("UDP", "TCP"):
        assert permits(policies(), Place(name), Place("kube-system"), 53, protocol)


@pytest.mark.parametrize(
    ("source", "target", "port"),
    [
        (Place("default"), Place("ai-data"), 6379),
        (Place("ai-gateway"), Place("ai-data"), 19530),
        (Place("ai-inference"), Place("ai-data"), 19530),
        (Place("ai-inference"), Place("ai-agents"), 8080),
        (Place("default"), Place("ai-inference"), 8000),
        (Place("ai-agents"), Place("ai-inference"), 22),
        (Place("ai-agents"), Place("ai-data"), 9091),
        (Place("ai-inference"), Place(address="10.20.3.4"), 443),
        (Place("ai-inference"), Place(address="192.168.1.1"), 443),
        (Place("ai-agents"), Place(address="169.254.169.254"), 80),
        (Place("ai-agents"), Place(address="203.0.113.7"), 80),
        (TENANT, OTHER_TENANT, 8080),
        (TENANT, Place("ai-inference"), 8000),
        (TENANT, Place("ai-agents"), 8080),
        (OTHER_TENANT, TENANT, 8080),
        (Place("ai-agents"), TENANT, 8080),
    ],
    ids=str,
)
def test_what_no_flow_names_is_closed(source: Place, target: Place, port: int) -> None:
    assert not permits(policies(), source, target, port)


def test_the_models_policy_is_the_architectures() -> None:
    by_name = {
        policy["metadata"]["name"]: policy["spec"]
        for policy in namespace_policies("ai-inference", CLOUD, namespace="ai-inference")
    }
    spec = by_name["inference-network-policy"]
    name = "kubernetes.io/metadata.name"
    sources = [
        (peer["namespaceSelector"]["matchLabels"][name], [port["port"] for port in rule["ports"]])
        for rule in spec["ingress"]
        for peer in rule["from"]
    ]
    assert sources == [("ai-gateway", [8000, 8080]), ("ai-agents", [8000, 8080])]
    internet, observability = spec["egress"]
    assert internet["to"] == [
        {
            "ipBlock": {
                "cidr": "0.0.0.0/0",
                "except": ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"],
            }
        }
    ]
    assert internet["ports"] == [{"protocol": "TCP", "port": 443}]
    assert observability["ports"] == [{"protocol": "TCP", "port": 9090}]


def test_without_a_cloud_and_a_mesh_their_flows_are_not_made() -> None:
    bare = TrafficConfig()
    assert {flow.aspect for flow in flows(bare)}.isdisjoint({"cloud", "mesh", "pickers"})
    assert not permits(policies(bare), Place("ai-agents"), OUTSIDE["cloud"], 443)


def test_clients_can_be_narrowed() -> None:
    narrow = policies(TrafficConfig(client_cidrs=("198.51.100.0/24",)))
    assert permits(narrow, Place(address="198.51.100.9"), Place("ai-gateway"), 8080)
    assert not permits(narrow, Place(address="203.0.113.7"), Place("ai-gateway"), 8080)


def test_every_platform_namespace_denies_by_default() -> None:
    def build() -> None:
        everywhere = {name: name for name in PLATFORM}
        NetworkPolicies("traffic", config=TrafficConfig(), namespaces=everywhere)

    recording = record(build)
    denied = [
        each.inputs["metadata"]["namespace"]
        for each in recording.of_type("NetworkPolicy")
        if each.inputs["metadata"]["name"] == "default-deny"
    ]
    assert sorted(denied) == sorted(PLATFORM)
