"""What a set of NetworkPolicies permits, worked out from the manifests alone.

Follows https://kubernetes.io/docs/concepts/services-networking/network-policies/: a connection
needs the egress side of its source and the ingress side of its target. Pod selectors other than
"all Pods" are not needed here and refused.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """A Pod's namespace with its labels, or an address outside the cluster."""

    namespace: str | None = None
    address: str | None = None
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def all_labels(self) -> dict[str, str]:
        return self.labels | {"kubernetes.io/metadata.name": self.namespace or ""}


def permits(
    policies: Sequence[Manifest], source: Place, target: Place, port: int, protocol: str = "TCP"
) -> bool:
    """Whether `source` may open a connection to `target` on `port`."""
    out = _side(policies, source, target, port, protocol, direction="Egress")
    return out and _side(policies, target, source, port, protocol, direction="Ingress")


def _side(
    policies: Sequence[Manifest],
    own: Place,
    other: Place,
    port: int,
    protocol: str,
    *,
    direction: str,
) -> bool:
    mine = [
        policy["spec"]
        for policy in policies
        if own.namespace is not None
        and policy["metadata"]["namespace"] == own.namespace
        and direction in policy["spec"]["policyTypes"]
    ]
    if not mine:
        return True
    key, peer_key = ("egress", "to") if direction == "Egress" else ("ingress", "from")
    for spec in mine:
        if spec["podSelector"] != {}:
            raise NotImplementedError(spec["podSelector"])
        for rule in spec.get(key, []):
            peers = rule.get(peer_key)
            reached = not peers or any(_matches(peer, own, other) for peer in peers)
            if reached and _port_open(rule.get("ports"), port, protocol):
                return True
    return False


def _matches(peer: Manifest, own: Place, other: Place) -> bool:
    if "ipBlock" in peer:
        if other.address is None:
            return False
        address = ipaddress.ip_address(other.address)
        block = peer["ipBlock"]
        inside = address in ipaddress.ip_network(block["cidr"])
        return inside and not any(
            address in ipaddress.ip_network(each) for each in block.get("except", [])
        )
    if other.namespace is None:
        return False
    if "namespaceSelector" not in peer:
        return peer["podSelector"] == {} and other.namespace == own.namespace
    selector = peer["namespaceSelector"]
    labels = other.all_labels
    exact = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    return exact and all(
        _requirement(each, labels) for each in selector.get("matchExpressions", [])
    )


def _requirement(requirement: Manifest, labels: dict[str, str]) -> bool:
    if requirement["operator"] != "Exists":
        raise NotImplementedError(requirement)
    return requirement["key"] in labels


def _port_open(ports: list[Manifest] | None, port: int, protocol: str) -> bool:
    if not ports:
        return True
    return any(each["port"] == port and each["protocol"] == protocol for each in ports)
