"""The NetworkPolicies of the platform's namespaces, rendered from the table in `traffic.py`."""

from collections.abc import Mapping
from typing import Any

from pulumi import ComponentResource, Input, ResourceOptions

from components.base import metadata
from components.kubernetes_object import kubernetes_object
from components.traffic import (
    PLATFORM,
    Flow,
    TrafficConfig,
    flows,
    namespace_peer,
    peers,
)

DNS_RULE: dict[str, Any] = {
    "to": [namespace_peer("kube-system")],
    "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
}


def policy_manifest(
    name: str,
    *,
    namespace: Any,
    ingress: list[dict[str, Any]] | None = None,
    egress: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """A policy over all Pods of a namespace; a direction that is None is left to other policies."""
    spec: dict[str, Any] = {"podSelector": {}, "policyTypes": []}
    if ingress is not None:
        spec["policyTypes"].append("Ingress")
        spec["ingress"] = ingress
    if egress is not None:
        spec["policyTypes"].append("Egress")
        spec["egress"] = egress
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(name, component="network-policy", namespace=namespace),
        "spec": spec,
    }


def default_deny_manifest(*, namespace: Any) -> dict[str, Any]:
    """Nothing in, nothing out, until another policy says so."""
    return policy_manifest("default-deny", namespace=namespace, ingress=[], egress=[])


def allow_dns_manifest(*, namespace: Any) -> dict[str, Any]:
    """Names resolve."""
    return policy_manifest("allow-dns", namespace=namespace, egress=[DNS_RULE])


def namespace_policies(name: str, config: TrafficConfig, *, namespace: Any) -> list[dict[str, Any]]:
    """Every policy of one platform namespace: deny, DNS, then one for each aspect of its flows."""
    manifests = [
        default_deny_manifest(namespace=namespace),
        allow_dns_manifest(namespace=namespace),
    ]
    table = flows(config)
    for aspect in dict.fromkeys(flow.aspect for flow in table):
        ingress = [
            {"from": peers(flow.source, config)} | _ports(flow)
            for flow in table
            if flow.aspect == aspect and flow.target == name
        ]
        egress = [
            {"to": peers(flow.target, config)} | _ports(flow)
            for flow in table
            if flow.aspect == aspect and flow.source == name
        ]
        if ingress or egress:
            title = PLATFORM[name] if aspect == "main" else f"allow-{aspect}"
            manifests.append(
                policy_manifest(
                    title, namespace=namespace, ingress=ingress or None, egress=egress or None
                )
            )
    return manifests


def _ports(flow: Flow) -> dict[str, Any]:
    if not flow.ports:
        return {}
    return {"ports": [{"protocol": "TCP", "port": port} for port in flow.ports]}


class NetworkPolicies(ComponentResource):
    """Default deny in every platform namespace, and an opening for each flow of the table."""

    def __init__(
        self,
        name: str,
        *,
        config: TrafficConfig,
        namespaces: Mapping[str, Input[str]],
        opts: ResourceOptions | None = None,
    ) -> None:
        """`namespaces` maps the names that the table knows to their wires; others are ignored."""
        super().__init__("agentic:ground:NetworkPolicies", name, None, opts)
        for each in PLATFORM:
            if each not in namespaces:
                continue
            for manifest in namespace_policies(each, config, namespace=namespaces[each]):
                kubernetes_object(
                    f"{name}-{each}-{manifest['metadata']['name']}",
                    manifest,
                    opts=ResourceOptions(parent=self),
                )
        self.register_outputs({})
