"""The tool registry: the kind Tool, and the platform's own Tools as objects of it."""

from collections.abc import Sequence
from typing import Any

from pulumi import ComponentResource, Input, ResourceOptions

from agents.crd import tool_crd
from agents.document import TOOL_API_VERSION, ToolDocument
from components.base import metadata
from components.child_options import child_options
from components.kubernetes_object import kubernetes_object


def definition_manifest() -> dict[str, Any]:
    """The CRD with the labels of the platform."""
    crd = tool_crd()
    return crd | {"metadata": metadata(crd["metadata"]["name"], component="agent")}


def tool_manifest(tool: ToolDocument, *, namespace: Any) -> dict[str, Any]:
    """One Tool, in the group of the platform whichever of the two its author wrote."""
    return {
        "apiVersion": TOOL_API_VERSION,
        "kind": "Tool",
        "metadata": metadata(tool.metadata.name, component="agent", namespace=namespace),
        "spec": tool.spec.model_dump(mode="json", by_alias=True, exclude_none=True),
    }


class ToolRegistry(ComponentResource):
    """What `kubectl get tools.tools.kagent.dev` lists; agents read their tools from files."""

    def __init__(
        self,
        name: str,
        *,
        tools: Sequence[ToolDocument],
        namespace: Input[str],
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("agentic:agents:ToolRegistry", name, None, opts)
        definition = kubernetes_object(
            f"{name}-definition", definition_manifest(), opts=child_options(self, opts)
        )
        for tool in tools:
            kubernetes_object(
                f"{name}-{tool.metadata.name}",
                tool_manifest(tool, namespace=namespace),
                opts=ResourceOptions(parent=self, depends_on=[definition]),
            )
        self.register_outputs({})
