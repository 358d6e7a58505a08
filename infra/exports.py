"""The contract that a stack exports for the stacks that stand on its cluster."""

from typing import Any

import pulumi

from infra.contract import FoundationOutputs
from infra.foundation import Foundation


def contract(foundation: Foundation) -> pulumi.Output[dict[str, Any]]:
    """`infra.contract.FoundationOutputs` as plain data, checked; unknown where a part of it is."""
    offer = foundation.offer
    values = {
        "cluster": {
            "name": foundation.cluster_name,
            "kubeconfig": foundation.kubeconfig,
            "context": foundation.context,
            "capacity": offer.capacity,
            "kubernetes_version": offer.kubernetes_version,
        },
        "account": _account(foundation),
        "network": _network(foundation),
    }
    found = pulumi.Output.from_input(values).apply(
        lambda it: FoundationOutputs(pools=offer.pools, **it).as_output()
    )
    # A provider may call its kubeconfig secret; that there is no credential in it was just checked.
    return pulumi.Output.unsecret(found)


def _account(foundation: Foundation) -> dict[str, Any] | None:
    if foundation.on_aws is None:
        return None
    return {
        "region": foundation.region,
        "number": foundation.account,
        "key_arns": dict(foundation.key_arns),
        "buckets": {name: each._asdict() for name, each in foundation.buckets.items()},
        "repositories": dict(foundation.registry_urls),
    }


def _network(foundation: Foundation) -> dict[str, Any] | None:
    if foundation.security_group_id is None:
        return None
    return {
        "cidr": foundation.offer.network_cidr,
        "private_subnet_ids": foundation.private_subnet_ids,
        "security_group_id": foundation.security_group_id,
    }
