"""Where a model server's weights come from."""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from components.base import ConfigModel

MOUNT = "/weights"
"""Where a shared volume is mounted, read-only."""


class WeightsVolumeConfig(ConfigModel):
    """A volume that a Job fills once and every server reads."""

    size_gib: PositiveInt
    """Room for the model's files."""
    storage_class: str
    """One whose volumes several nodes may read at once, such as EFS or FSx for Lustre."""
    access_mode: Literal["ReadWriteMany", "ReadWriteOnce"] = "ReadWriteMany"
    """ReadWriteOnce is for a single server on a single node."""


class ModelWeightsConfig(ConfigModel):
    """The model's own repository, a bucket, or a volume."""

    source: Literal["hub", "s3", "volume"] = "hub"
    """hub: each server downloads from the model's repository · s3: vLLM streams them from a bucket
    into GPU memory · volume: a Job downloads them once, servers read them from there."""
    uri: Annotated[str, Field(pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/\S+$")] | None = None
    """Only for `s3`: the folder that holds config.json."""
    volume: WeightsVolumeConfig | None = None
    """Only for `volume`."""

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        for name, value in {"s3": self.uri, "volume": self.volume}.items():
            field = "uri" if name == "s3" else "volume"
            if (self.source == name) != (value is not None):
                raise ValueError(f"source {name!r} and {field} need each other")
        return self

    def path(self, model: str) -> str | None:
        """What the engine loads in place of the repository."""
        if self.source == "s3":
            return self.uri
        return f"{MOUNT}/{model}" if self.source == "volume" else None

    def problems(self, *, servers: int) -> Iterator[str]:
        """What can't work with so many Pods."""
        if self.volume and self.volume.access_mode == "ReadWriteOnce" and servers > 1:
            yield (
                f"accessMode 'ReadWriteOnce' lets one node read the volume, and there are {servers}"
                " Pods; use 'ReadWriteMany' with a storage class that has it"
            )
