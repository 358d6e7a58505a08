"""EC2's vCPU quotas: which one an instance type counts against, and what of it is left.

Codes: Service Quotas, service `ec2`; families: EC2 user guide, On-Demand and Spot Instance quotas
(AWS renames the Spot quotas of P now and then; the name shown is the one that AWS answers).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple

Purchase = Literal["on-demand", "spot"]

STANDARD: Final = frozenset("acdhimrtz")
CODES: Final[dict[str, dict[Purchase, str]]] = {
    "standard": {"on-demand": "L-1216C47A", "spot": "L-34B43A08"},
    "g": {"on-demand": "L-DB2E81BA", "spot": "L-3819A6DF"},
    "p": {"on-demand": "L-417A185B", "spot": "L-7212CCBC"},
    "p5": {"on-demand": "L-417A185B", "spot": "L-C4BD4855"},
    "inf": {"on-demand": "L-1945791B", "spot": "L-B5D1601B"},
    "trn": {"on-demand": "L-2C3B7624", "spot": "L-6B0D517C"},
    "x": {"on-demand": "L-7295265B", "spot": "L-E3A00192"},
}
NAMES: Final[dict[str, str]] = {
    "L-1216C47A": "Running On-Demand Standard instances",
    "L-34B43A08": "Standard Spot Instance Requests",
    "L-DB2E81BA": "Running On-Demand G and VT instances",
    "L-3819A6DF": "G and VT Spot Instance Requests",
    "L-417A185B": "Running On-Demand P instances",
    "L-7212CCBC": "P4, P3 and P2 Spot Instance Requests",
    "L-C4BD4855": "P5 Spot Instance Requests",
    "L-1945791B": "Running On-Demand Inf instances",
    "L-B5D1601B": "Inf Spot Instance Requests",
    "L-2C3B7624": "Running On-Demand Trn instances",
    "L-6B0D517C": "Trn Spot Instance Requests",
    "L-7295265B": "Running On-Demand X instances",
    "L-E3A00192": "X Spot Instance Requests",
}


class Offer(NamedTuple):
    """One way to buy nodes of a pool."""

    code: str
    """Quota that counts its vCPUs."""
    instance_type: str
    vcpu: int
    gpus: int


def quota_code(instance_type: str, purchase: Purchase) -> str | None:
    """The quota of that type; None for families that no pool of this platform buys."""
    family = re.match(r"[a-z]+\d*", instance_type)
    letters = re.match(r"[a-z]+", instance_type)
    if family is None or letters is None:
        return None
    name = letters[0]
    if name in ("g", "gr", "vt"):
        group = "g"
    elif name == "p":
        group = "p5" if family[0] in ("p5", "p6") else "p"
    elif name in CODES:
        group = name
    elif name[0] in STANDARD:
        group = "standard"
    else:
        return None
    return CODES[group][purchase]


def nodes_for(pods: Iterable[int], offers: Iterable[Offer], left: Mapping[str, int]) -> list[Offer]:
    """Nodes that quotas allow and that take those Pods (GPUs each); empty when they don't fit.

    First fit by falling size, each quota spent on the type that gives most GPUs for its vCPUs:
    Karpenter may find a better mix, so what does not fit here may fit by luck, never by much.
    """
    free: list[int] = []
    bought: list[Offer] = []
    rest = dict(left)
    choices = sorted(offers, key=lambda it: (-it.gpus / it.vcpu, it.vcpu))
    for pod in sorted(pods, reverse=True):
        place = next((index for index, gpus in enumerate(free) if gpus >= pod), None)
        if place is None:
            offer = next(
                (it for it in choices if it.gpus >= pod and it.vcpu <= rest.get(it.code, 0)), None
            )
            if offer is None:
                return []
            rest[offer.code] -= offer.vcpu
            bought.append(offer)
            free.append(offer.gpus)
            place = len(free) - 1
        free[place] -= pod
    return bought
