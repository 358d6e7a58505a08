"""Who may do what with agents: the Roles `agent-operator` and `agent-viewer`, bound to groups."""

from collections.abc import Sequence
from typing import Any

from pulumi import ComponentResource, Input, ResourceOptions

from components.base import ConfigModel, metadata
from components.kubernetes_object import kubernetes_object

READ = ["get", "list", "watch"]
WRITE = ["create", "update", "patch", "delete"]

AGENT_RESOURCES = (
    "agents",
    "modelconfigs",
    "modelproviderconfigs",
    "remotemcpservers",
    "mcpservers",
    "sandboxagents",
    "agentharnesses",
)
"""The kinds that kagent serves; the architecture's `workflows` is not among them."""
TOOL_GROUP = "tools.kagent.dev"
"""API group of the platform's own Tool kind."""


class AccessControlConfig(ConfigModel):
    """Groups as the identity provider or an EKS access entry names them.

    Nobody holds a role by default: a default group would reach into every tenant's namespace.
    """

    operator_groups: tuple[str, ...] = ()
    """May create, change and delete agents and tools."""
    viewer_groups: tuple[str, ...] = ()
    """May look at agents, tools and their Pods."""
    operator_secrets: tuple[str, ...] = ()
    """Secrets that operators may read, by full name: Kubernetes matches no name patterns."""


def operator_rules(secrets: Sequence[str]) -> list[dict[str, Any]]:
    """Rules of `agent-operator`."""
    rules: list[dict[str, Any]] = [
        {"apiGroups": ["kagent.dev"], "resources": [*AGENT_RESOURCES], "verbs": READ + WRITE},
        {"apiGroups": [TOOL_GROUP], "resources": ["tools"], "verbs": READ + WRITE},
        {
            "apiGroups": [""],
            "resources": ["pods", "pods/log", "services", "configmaps"],
            "verbs": READ,
        },
    ]
    if secrets:
        named = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [*secrets]}
        rules.append(named | {"verbs": ["get"]})
    return rules


def viewer_rules() -> list[dict[str, Any]]:
    """Rules of `agent-viewer`."""
    return [
        {"apiGroups": ["kagent.dev"], "resources": [*AGENT_RESOURCES], "verbs": READ},
        {"apiGroups": [TOOL_GROUP], "resources": ["tools"], "verbs": READ},
        {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": READ},
    ]


def role_manifest(name: str, rules: list[dict[str, Any]], *, namespace: Any) -> dict[str, Any]:
    """A Role."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": metadata(name, component="access-control", namespace=namespace),
        "rules": rules,
    }


def role_binding_manifest(name: str, groups: Sequence[str], *, namespace: Any) -> dict[str, Any]:
    """Binds the Role of the same name to groups."""
    api_group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{api_group}/v1",
        "kind": "RoleBinding",
        "metadata": metadata(name, component="access-control", namespace=namespace),
        "roleRef": {"apiGroup": api_group, "kind": "Role", "name": name},
        "subjects": [{"kind": "Group", "apiGroup": api_group, "name": group} for group in groups],
    }


def access_control_manifests(
    config: AccessControlConfig, *, namespace: Any
) -> list[dict[str, Any]]:
    """Roles and their bindings; a role that no group holds is made without a binding."""
    roles = {
        "agent-operator": (operator_rules(config.operator_secrets), config.operator_groups),
        "agent-viewer": (viewer_rules(), config.viewer_groups),
    }
    manifests: list[dict[str, Any]] = []
    for name, (rules, groups) in roles.items():
        manifests.append(role_manifest(name, rules, namespace=namespace))
        if groups:
            manifests.append(role_binding_manifest(name, groups, namespace=namespace))
    return manifests


class AccessControl(ComponentResource):
    """The two Roles of the agents' namespace and the groups that hold them."""

    def __init__(
        self,
        name: str,
        *,
        config: AccessControlConfig,
        namespace: Input[str],
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("agentic:ground:AccessControl", name, None, opts)
        for manifest in access_control_manifests(config, namespace=namespace):
            kubernetes_object(
                f"{name}-{manifest['metadata']['name']}",
                manifest,
                opts=ResourceOptions(parent=self),
            )
        self.register_outputs({})
