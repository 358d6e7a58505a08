"""What goes first when a node is full."""

from typing import Any

from pulumi import ComponentResource, ResourceOptions
from pydantic import Field

from components.base import ConfigModel, metadata
from components.kubernetes_object import kubernetes_object


class PriorityClassConfig(ConfigModel):
    """One class; user classes lie below one billion."""

    value: int = Field(ge=-1_000_000_000, le=1_000_000_000)
    """Higher goes first."""
    preempts: bool = True
    """Whether its Pods may push others off a node."""
    description: str
    """For whom it is."""


DEFAULT_PRIORITY_CLASSES: dict[str, PriorityClassConfig] = {
    "agentic-gateway": PriorityClassConfig(value=900_000, description="the way in"),
    "agentic-data": PriorityClassConfig(value=800_000, description="stores that hold state"),
    "agentic-serving": PriorityClassConfig(value=600_000, description="model servers on line"),
    "agentic-agents": PriorityClassConfig(value=400_000, description="agents"),
    "agentic-batch": PriorityClassConfig(
        value=100_000, preempts=False, description="work that can wait"
    ),
}
"""Without the gateway nothing is reachable, without the stores agents forget: they go first."""


def priority_class_manifest(name: str, config: PriorityClassConfig) -> dict[str, Any]:
    """A cluster-wide PriorityClass that is nobody's default."""
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": metadata(name, component="scheduling"),
        "value": config.value,
        "globalDefault": False,
        "preemptionPolicy": "PreemptLowerPriority" if config.preempts else "Never",
        "description": config.description,
    }


class PriorityClasses(ComponentResource):
    """The platform's scheduling order."""

    def __init__(
        self,
        name: str,
        *,
        config: dict[str, PriorityClassConfig],
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("agentic:ground:PriorityClasses", name, None, opts)
        for each, settings in config.items():
            kubernetes_object(
                each, priority_class_manifest(each, settings), opts=ResourceOptions(parent=self)
            )
        self.register_outputs({})
