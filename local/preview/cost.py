"""What a stack costs while nobody uses it, and with every pool at its limit.

On-demand list prices. Traffic, storage, logs, requests, the Pods of charts and discounts are not
counted: the numbers say which order of magnitude a change has, before anybody pays for it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from inference.data import DataModel
from inference.instances import HOURS_A_MONTH, instance_table
from local.preview.pool_cost import Resource, inputs_of, pool_costs

FILE = Path(__file__).with_name("prices.yaml")


class HourPrices(DataModel):
    """USD an hour."""

    cluster: float
    nat: float
    endpoint: float
    load_balancer: float


class MonthPrices(DataModel):
    """USD a month."""

    key: float


class Prices(DataModel):
    """`prices.yaml`."""

    region: str
    date: str
    hour: HourPrices
    month: MonthPrices
    auto_mode_share: float
    """What Auto Mode adds to the price of an instance, as a fraction of it."""


class Item(NamedTuple):
    """One line: `least` and `most` in USD an hour."""

    what: str
    least: float
    most: float


@dataclass
class Cost:
    """All lines; none where a stack has nothing of what is counted."""

    items: list[Item] = field(default_factory=list)

    @property
    def least(self) -> float:
        """USD an hour that the stack costs while nobody uses it."""
        return sum(item.least for item in self.items)

    @property
    def most(self) -> float:
        """USD an hour with every pool at its limit."""
        return sum(item.most for item in self.items)

    def as_json(self) -> dict[str, Any]:
        """USD an hour, rounded to a tenth of a cent."""
        return {
            "usdPerHourAtRest": round(self.least, 3),
            "usdPerHourAtMost": round(self.most, 3),
            "items": [
                {"what": it.what, "atRest": round(it.least, 3), "atMost": round(it.most, 3)}
                for it in self.items
            ],
        }

    def lines(self) -> list[str]:
        """For people: the sum first."""
        if not self.items:
            return []
        table, prices = instance_table(), known_prices()
        return [
            f"at rest ${self.least:,.2f} an hour, ${self.least * HOURS_A_MONTH:,.0f} a month; "
            f"with every pool at its limit ${self.most:,.2f} an hour",
            *(f"{item.what}: {_range(item)}" for item in self.items),
            f"on-demand list prices of {prices.region}, of {table.price_date} for instances and of "
            f"{prices.date}; without traffic, storage, logs, requests, Pods of charts, discounts",
        ]


def _range(item: Item) -> str:
    if item.least == item.most:
        return f"${item.least:,.2f}"
    return f"${item.least:,.2f} to ${item.most:,.2f}"


@cache
def known_prices() -> Prices:
    """The file, read once; its region is the one of the instances' prices."""
    prices = Prices.model_validate(yaml.safe_load(FILE.read_text(encoding="utf-8")))
    if prices.region != instance_table().price_region:
        raise ValueError(f"{FILE.name} and inference/instances.json have prices of two regions")
    return prices


def estimate(resources: Iterable[Resource]) -> Cost:
    """Of what a stack would be made of."""
    made = list(resources)
    return Cost([item for item in (*_flat(made), *_nodes(made), *_pools(made)) if item.most > 0])


def _flat(made: list[Resource]) -> list[Item]:
    """What costs the same whatever happens."""
    hour = known_prices().hour
    subnets = [
        each.get("subnetIds")
        for each in inputs_of(made, "aws:ec2/vpcEndpoint:VpcEndpoint")
        if each.get("vpcEndpointType") == "Interface"
    ]
    # a preview may not know the list, and says so with a text in its place
    zones = sum(len(each) if isinstance(each, list) else 1 for each in subnets)
    counted = [
        ("EKS control plane", len(inputs_of(made, "aws:eks/cluster:Cluster")), hour.cluster),
        ("NAT gateway", len(inputs_of(made, "aws:ec2/natGateway:NatGateway")), hour.nat),
        ("interface endpoint in a zone", zones, hour.endpoint),
        (
            "load balancer of a Gateway",
            len(inputs_of(made, "kubernetes:gateway.networking.k8s.io/v1:Gateway")),
            hour.load_balancer,
        ),
        (
            "KMS key",
            len(inputs_of(made, "aws:kms/key:Key")),
            known_prices().month.key / HOURS_A_MONTH,
        ),
    ]
    return [Item(f"{count} x {what}", count * each, count * each) for what, count, each in counted]


def _nodes(made: list[Resource]) -> list[Item]:
    """Managed nodes, which stand whatever runs on them."""
    table = instance_table().types
    items = []
    for each in inputs_of(made, "aws:eks/nodeGroup:NodeGroup"):
        known = [table[name].usd_per_hour for name in each["instanceTypes"] if name in table]
        prices = [price for price in known if price]
        if prices:
            least, most = (int(each["scalingConfig"][key]) for key in ("minSize", "maxSize"))
            what = f"{least} to {most} managed nodes"
            items.append(Item(what, least * min(prices), most * max(prices)))
    return items


def _pools(made: list[Resource]) -> list[Item]:
    share = 1 + known_prices().auto_mode_share if _auto_mode(made) else 1.0
    return [
        Item(
            f"pool {pool.name}, {pool.gpus} GPUs at rest" if pool.gpus else f"pool {pool.name}",
            pool.least * share,
            pool.most * share,
        )
        for pool in sorted(pool_costs(made))
    ]


def _auto_mode(made: list[Resource]) -> bool:
    return any(
        (each.get("computeConfig") or {}).get("enabled")
        for each in inputs_of(made, "aws:eks/cluster:Cluster")
    )
