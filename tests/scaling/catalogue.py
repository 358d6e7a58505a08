"""The instance types that Karpenter's kwok provider may buy, from the project's own facts."""

from typing import Any

from inference.instances import InstanceFacts, instance_table

SPOT_SHARE = 0.4
"""Spot price as a share of the on-demand price: made up, the same for all types, so that the order
of prices is the price list's."""
PODS = 110
CAPACITY_TYPE = "karpenter.sh/capacity-type"
ZONE = "topology.kubernetes.io/zone"


def price(name: str, capacity_type: str, *, dearer: dict[str, float] | None = None) -> float:
    """USD an hour; `dearer` multiplies the price of the types that it names.

    Raises KeyError for a type that the facts don't know or have no price for.
    """
    on_demand = instance_table().types[name].usd_per_hour
    if on_demand is None:
        raise KeyError(f"no price of {name}")
    share = SPOT_SHARE if capacity_type == "spot" else 1.0
    return on_demand * share * (dearer or {}).get(name, 1.0)


def catalogue(region: str, *, dearer: dict[str, float] | None = None) -> list[dict[str, Any]]:
    """Every priced type that `region` offers, in the provider's file format."""
    return [
        _entry(name, facts, region, dearer)
        for name, facts in instance_table().types.items()
        if facts.usd_per_hour is not None and region in facts.zones
    ]


def _entry(
    name: str, facts: InstanceFacts, region: str, dearer: dict[str, float] | None
) -> dict[str, Any]:
    resources = {
        "cpu": str(facts.vcpu),
        "memory": f"{facts.memory_mib}Mi",
        "pods": str(PODS),
    }
    if facts.gpus:
        resources["nvidia.com/gpu"] = str(facts.gpus)
    offerings = [
        {
            "Price": price(name, capacity_type, dearer=dearer),
            "Available": True,
            "Requirements": [
                _is(CAPACITY_TYPE, capacity_type),
                _is(ZONE, f"{region}{letter}"),
                *_aws_labels(name, facts),
            ],
        }
        for letter in facts.zones[region]
        for capacity_type in ("on-demand", "spot")
    ]
    return {
        "name": name,
        "architecture": facts.architecture,
        "operatingSystems": ["linux"],
        "resources": resources,
        "offerings": offerings,
    }


def _aws_labels(name: str, facts: InstanceFacts) -> list[dict[str, Any]]:
    """Labels that AWS's provider knows; as offering requirements they become well known here, so
    that a NodePool may use them."""
    family, size = name.split(".", 1)
    labels = {
        "instance-family": family,
        "instance-size": size,
        "instance-category": family[0],
        "instance-cpu": str(facts.vcpu),
        "instance-memory": str(facts.memory_mib),
        "instance-gpu-count": str(facts.gpus),
    }
    if facts.gpu:
        labels["instance-gpu-name"] = facts.gpu.lower()
    return [_is(f"karpenter.k8s.aws/{key}", value) for key, value in labels.items()]


def _is(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "operator": "In", "values": [value]}
