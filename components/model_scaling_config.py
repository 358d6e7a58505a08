"""How many servers of a model there are, by what the engine says of its own load."""

from typing import Annotated, Self

from pydantic import Field, PositiveInt, model_validator

from components.base import ConfigModel


class ModelScalingConfig(ConfigModel):
    """Bounds and thresholds; see `components/model_scaler.py` for the engines' metrics."""

    min_replicas: Annotated[int, Field(ge=0, le=64)] = 1
    """Fewest servers."""
    max_replicas: Annotated[int, Field(ge=1, le=64)]
    """Most servers."""
    waiting_requests: PositiveInt = 4
    """Requests waiting in the engine's queue, for each server."""
    kv_cache_usage: Annotated[float, Field(gt=0, lt=1)] = 0.8
    """Full share of the KV cache, averaged over servers; not with tgi, which has no such metric."""
    polling_interval_seconds: PositiveInt = 15
    """How often KEDA asks."""
    cooldown_period_seconds: PositiveInt = 600
    """How long load must stay low before servers go: loading weights takes minutes."""

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.min_replicas == 0:
            raise ValueError(
                "minReplicas 0: no gateway of this platform holds a request until a server has "
                "loaded, so callers would see errors for minutes; use 1 or more"
            )
        if self.min_replicas > self.max_replicas:
            raise ValueError(
                f"minReplicas {self.min_replicas} is above maxReplicas {self.max_replicas}"
            )
        return self
