"""Instance types with GPUs that a server may be put on, with the price of a known day."""

from collections.abc import Collection
from difflib import get_close_matches

from inference.gpu import known_gpus
from inference.instances import InstanceFacts, instance_table
from inference.sizing import InstanceOffer

_EFA_GB_S = 12.5
"""10^9 bytes a second of one Elastic Fabric Adapter at 100 Gbit/s; newer types have faster ones."""


def offers(
    types: Collection[str] | None = None, *, region: str | None = None
) -> tuple[InstanceOffer, ...]:
    """All known types with a GPU whose speed and price are known, or those of `types` and `region`.

    ValueError names every type that is unknown, has no such GPU, or is not offered in the region.
    """
    table = instance_table()
    wrong = [_why_not(name, region) for name in types or ()]
    if any(wrong):
        raise ValueError("\n".join(reason for reason in wrong if reason))
    chosen = types or [name for name in table.types if _why_not(name, region) is None]
    return tuple(_offer(name, table.types[name]) for name in chosen)


def _offer(name: str, facts: InstanceFacts) -> InstanceOffer:
    return InstanceOffer(
        name,
        known_gpus()[facts.gpu or ""],
        facts.gpus,
        facts.usd_per_hour or 0.0,
        facts.efa_interfaces * _EFA_GB_S,
    )


def _why_not(name: str, region: str | None) -> str | None:
    table = instance_table()
    facts = table.types.get(name)
    if facts is None:
        near = get_close_matches(name, table.types, n=3)
        return f"instance type {name!r} is unknown; near it: {', '.join(near) or 'none'}"
    if facts.gpu not in known_gpus() or not facts.gpus:
        allowed = ", ".join(known_gpus())
        return f"instance type {name!r} has no GPU whose speed is known; known GPUs: {allowed}"
    if facts.usd_per_hour is None:
        return f"instance type {name!r} has no price in {table.price_region}; name another type"
    if region and not table.offered(name, region):
        places = ", ".join(table.regions_of(name))
        return f"instance type {name!r} is not offered in {region}; it is in {places}"
    return None
