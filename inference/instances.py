"""EC2 instance types: what they hold, where they are offered, what they cost on a given day.

The data is `instances.json`, written by `tools/write_instance_facts.py`, which names the sources.
"""

from functools import cache
from pathlib import Path

from pydantic import Field

from inference.data import DataModel

FILE = Path(__file__).with_name("instances.json")
MIG_GPUS = frozenset({"A100-40GB", "A100-80GB", "H100", "H200", "B200", "B300", "RTX-PRO-6000"})
"""GPUs that can be split in hardware (NVIDIA MIG User Guide, supported GPUs)."""
HOURS_A_MONTH = 730
"""What AWS's price calculator takes for a month: 8,760 hours in twelve parts."""


class InstanceFacts(DataModel):
    """One instance type."""

    vcpu: int
    """Virtual CPUs."""
    memory_mib: int
    """Main memory, before the node's own share is taken."""
    architecture: str
    """`amd64` or `arm64`."""
    gpu: str | None = None
    """Model of its NVIDIA GPUs, such as `A10G`, `A100-40GB`, `H100`."""
    gpus: int = 0
    """How many it has."""
    gpu_memory_mib: int = 0
    """Memory of one GPU as EC2 states it."""
    efa_interfaces: int = 0
    """Elastic Fabric Adapters that it can have."""
    usd_per_hour: float | None
    """On-demand price in `InstanceTable.price_region`; None where the price list had none."""
    zones: dict[str, str]
    """Region to the letters of its zones with the type; letters differ from account to account."""

    @property
    def mig(self) -> bool:
        """Whether its GPUs can be split by MIG."""
        return self.gpu in MIG_GPUS


class InstanceTable(DataModel):
    """All known types."""

    price_region: str
    price_date: str
    """Day of the price list, ISO 8601."""
    price_source: str
    type_source: str
    zone_source: str
    types: dict[str, InstanceFacts] = Field(min_length=1)

    @property
    def regions(self) -> frozenset[str]:
        """Regions whose offers are known."""
        return frozenset(region for facts in self.types.values() for region in facts.zones)

    def offered(self, name: str, region: str) -> bool | None:
        """Whether the region has the type; None where the table knows type or region too little."""
        if name not in self.types or region not in self.regions:
            return None
        return region in self.types[name].zones

    def regions_of(self, name: str) -> tuple[str, ...]:
        """Regions that offer the type, sorted; empty for an unknown one."""
        facts = self.types.get(name)
        return tuple(sorted(facts.zones)) if facts else ()


@cache
def instance_table() -> InstanceTable:
    """The table, read once."""
    return InstanceTable.model_validate_json(FILE.read_bytes())
