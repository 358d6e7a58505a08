"""The machine under a Karpenter pool: the spec of its EC2NodeClass."""

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt, model_validator

from components.base import ConfigModel
from components.versions import NODE_AMI

DISCOVERY_TAG = "karpenter.sh/discovery"
MANAGED_IMAGE = "managed"
"""EKS Auto Mode chooses the node image."""


class DiskConfig(ConfigModel):
    """The root volume of a node (gp3)."""

    gib: PositiveInt
    """Size; model weights and images lie here."""
    iops: int = Field(ge=3000, le=16000)
    """Operations a second; 3000 are free."""
    throughput_mbps: int = Field(ge=125, le=1000)
    """MiB a second; 125 are free."""


class ReservationConfig(ConfigModel):
    """EC2 capacity that is paid for already: an On-Demand Capacity Reservation or Capacity Block.

    One of `id` and `tags`; buying a Capacity Block is done in EC2, Karpenter only uses it.
    """

    id: Annotated[str, Field(pattern=r"^cr-[0-9a-z]+$")] | None = None
    """One reservation."""
    tags: dict[str, str] = Field(default_factory=dict)
    """Every reservation with these tags; `*` stands for any value."""
    owner_id: Annotated[str, Field(pattern=r"^[0-9]{12}$")] | None = None
    """Account that shares it, beside `tags`."""
    instance_match_criteria: Literal["open", "targeted"] | None = None
    """Only such reservations, beside `tags`."""

    @model_validator(mode="after")
    def _one_way_to_name_it(self) -> "ReservationConfig":
        if (self.id is None) == (not self.tags):
            raise ValueError("exactly one of 'id' and 'tags' must be given; remove the other")
        if self.id is not None and (self.owner_id or self.instance_match_criteria):
            raise ValueError(
                "ownerId and instanceMatchCriteria go with 'tags', not with 'id'; remove them"
            )
        return self

    def term(self) -> dict[str, Any]:
        """An item of `capacityReservationSelectorTerms`."""
        found = {
            "id": self.id,
            "tags": dict(self.tags) or None,
            "ownerID": self.owner_id,
            "instanceMatchCriteria": self.instance_match_criteria,
        }
        return {key: value for key, value in found.items() if value is not None}


class NodeClassConfig(ConfigModel):
    """The machine under the nodes of one pool."""

    name: str = Field(pattern=r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$")
    """Name of the EC2NodeClass."""
    ami_alias: str = Field(pattern=r"^(pinned|managed|al2023@(latest|v\d{8}))$")
    """`pinned` is the image of `components/versions.py`; `al2023@latest` follows AWS and replaces
    nodes whenever AWS publishes an image; `managed` leaves the choice to EKS Auto Mode."""
    disk: DiskConfig
    """The root volume."""
    local_disks: bool = False
    """Join the instance's own NVMe disks to one volume for images and `emptyDir`."""
    efa: bool = False
    """Give each node all Elastic Fabric Adapters of its type, for models across several nodes.
    Pods that ask for `vpc.amazonaws.com/efa` get them without this too, except on static pools."""
    reservations: tuple[ReservationConfig, ...] = Field(default=(), max_length=30)
    """What capacity type `reserved` may use: ODCRs and Capacity Blocks."""
    tags: dict[str, str] = Field(default_factory=dict)
    """Tags of instances and volumes."""


def network_interfaces(efa_interfaces: int) -> list[dict[str, Any]]:
    """One interface with an address, and an adapter without one on each network card.

    The least addresses for the most fabric, after Karpenter's `designs/efa-for-static-capacity.md`.
    """
    primary = {"networkCardIndex": 0, "deviceIndex": 0, "interfaceType": "interface"}
    adapters = [
        {"networkCardIndex": card, "deviceIndex": 1, "interfaceType": "efa-only"}
        for card in range(efa_interfaces)
    ]
    return [primary, *adapters]


def node_class_spec(
    config: NodeClassConfig,
    *,
    cluster: Any,
    node_role: Any,
    efa_interfaces: int = 0,
    user_data: str | None = None,
) -> dict[str, Any]:
    """Spec of the EC2NodeClass: image, network by discovery tag, encrypted disk, IMDSv2 only.

    `efa_interfaces` is what the pool's types have; it is used where `config.efa` asks for it.
    """
    discovery = [{"tags": {DISCOVERY_TAG: cluster}}]
    alias = NODE_AMI if config.ami_alias == "pinned" else config.ami_alias
    disk = {
        "volumeSize": f"{config.disk.gib}Gi",
        "volumeType": "gp3",
        "iops": config.disk.iops,
        "throughput": config.disk.throughput_mbps,
        "encrypted": True,
        "deleteOnTermination": True,
    }
    spec: dict[str, Any] = {
        "role": node_role,
        "amiSelectorTerms": [{"alias": alias}],
        "subnetSelectorTerms": discovery,
        "securityGroupSelectorTerms": discovery,
        "blockDeviceMappings": [{"deviceName": "/dev/xvda", "ebs": disk}],
        "metadataOptions": {"httpTokens": "required", "httpPutResponseHopLimit": 1},
        "tags": dict(config.tags),
    }
    if config.local_disks:
        spec["instanceStorePolicy"] = "RAID0"
    if config.efa:
        spec["networkInterfaces"] = network_interfaces(efa_interfaces)
    if config.reservations:
        spec["capacityReservationSelectorTerms"] = [it.term() for it in config.reservations]
    return spec if user_data is None else spec | {"userData": user_data}
