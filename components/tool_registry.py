"""The tool registry: the kind Tool, and the platform's own Tools as objects of it."""

from collections.abc import Sequence
from typing import Any

from pulumi import ComponentResource, Input, Output, ResourceOptions

from agents.crd import tool_crd
from agents.document import TOOL_API_VERSION, ToolDocument
from agents.tool import CodeToolSpec
from components.access_control import READ, TOOL_GROUP, role_manifest
from components.base import metadata
from components.child_options import child_options
from components.kubernetes_object import kubernetes_object
from components.ordering import after

SANDBOX_GROUP = "extensions.agents.x-k8s.io"
WATCHERS = "tool-watcher"
"""Role of the processes that follow Tools."""


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


def claims_sandboxes(tool: ToolDocument) -> bool:
    """Whether its calls run in a Sandbox of the node."""
    return isinstance(tool.spec, CodeToolSpec) and tool.spec.config.sandbox is not None


def watcher_manifests(
    accounts: Sequence[str], *, namespace: Any, sandboxes: bool = False
) -> list[dict[str, Any]]:
    """The Role that lets a process follow Tools, and who has it; nothing where nobody does.

    `sandboxes`: it also claims Sandboxes, and gives them back.
    """
    if not accounts:
        return []
    rules = [{"apiGroups": [TOOL_GROUP], "resources": ["tools"], "verbs": READ}]
    if sandboxes:
        claims = {"apiGroups": [SANDBOX_GROUP], "resources": ["sandboxclaims"]}
        rules.append(claims | {"verbs": ["create", "get", "delete"]})
    group = "rbac.authorization.k8s.io"
    subjects = [
        {"kind": "ServiceAccount", "name": each, "namespace": namespace} for each in accounts
    ]
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": metadata(WATCHERS, component="agent", namespace=namespace),
        "roleRef": {"apiGroup": group, "kind": "Role", "name": WATCHERS},
        "subjects": subjects,
    }
    return [role_manifest(WATCHERS, rules, namespace=namespace), binding]


class ToolRegistry(ComponentResource):
    """What `kubectl get tools.tools.kagent.dev` lists, and who may follow it."""

    namespace: Output[str]
    """What its followers depend on: known when kind and rights are there."""

    def __init__(
        self,
        name: str,
        *,
        tools: Sequence[ToolDocument],
        namespace: Input[str],
        watchers: Sequence[str] = (),
        opts: ResourceOptions | None = None,
    ) -> None:
        """`watchers` are ServiceAccounts of the namespace."""
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
        rights = [
            kubernetes_object(f"{name}-watchers", manifest, opts=ResourceOptions(parent=self))
            for manifest in watcher_manifests(
                watchers, namespace=namespace, sandboxes=any(map(claims_sandboxes, tools))
            )
        ]
        self.namespace = after(namespace, [definition, *rights])
        self.register_outputs({"namespace": self.namespace})
