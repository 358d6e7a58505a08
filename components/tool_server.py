"""The tool registry as an MCP server: every Tool of ai-agents for any agent or MCP client."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pulumi import ComponentResource, Input, Output, ResourceOptions
from pydantic import Field, PositiveInt

from agents.document import ToolDocument, secret_keys
from agents.tool import named
from components import runtime_pod
from components.base import ConfigModel, metadata, standard_labels
from components.child_options import child_options
from components.kubernetes_object import kubernetes_object
from components.ordering import after
from components.pod_features import RESIZE_IN_PLACE
from components.resource_quota import Quantity
from components.runtime_pod import (
    COMMAND,
    HTTP_PORT,
    METRICS_PORT,
    RESERVED_FOLDERS,
    AgentServiceConfig,
    Surroundings,
    probe,
)

NAME = "tool-registry"
ARGS = ("-m", "agent_runtime", "tools-mcp")
KAGENT = "kagent.dev/v1alpha2"
TENANT_HEADER = "x-tenant-id"
TIMEOUT_SECONDS = 60
SELECTOR = {"app.kubernetes.io/name": NAME}


class ToolServerConfig(ConfigModel):
    """What a stack decides about the MCP server of its Tools."""

    replicas: PositiveInt = 2
    """Pods; each serves any request."""
    tenant: str = Field(default="platform", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    """Whose data the Tools read when a Declarative agent of kagent calls them: kagent tells an MCP
    server nothing of its own caller."""
    cpu: Quantity = "100m"
    """CPU request of each Pod."""
    memory: Quantity = "256Mi"
    """Memory request of each Pod."""
    memory_limit: Quantity = "512Mi"
    """Memory limit of each Pod."""

    @property
    def resources(self) -> dict[str, dict[str, str]]:
        """Of one container."""
        return {
            "requests": {"cpu": self.cpu, "memory": self.memory},
            "limits": {"cpu": "1", "memory": self.memory_limit},
        }


def tool_secrets(tools: Iterable[ToolDocument]) -> list[str]:
    """Names of the Secrets that the Tools' credentials lie in.

    ValueError for one whose name is that of a folder of the platform.
    """
    authored = [named(each.metadata.name, each.spec) for each in tools]
    found = [*dict.fromkeys(key.name for key in secret_keys(authored))]
    for secret in found:
        if secret in RESERVED_FOLDERS:
            raise ValueError(
                f"a Tool's Secret can't be named {secret!r}; reserved: "
                f"{', '.join(RESERVED_FOLDERS)}"
            )
    return found


def pod_spec(
    config: ToolServerConfig,
    *,
    service: AgentServiceConfig,
    tools: Sequence[ToolDocument],
    around: Surroundings,
    join: Any = "".join,
) -> dict[str, Any]:
    """The Pod: the runtime's image with another command, following the Tool objects."""
    folders = runtime_pod.secret_folders(around) | {each: each for each in tool_secrets(tools)}
    volumes, mounts = runtime_pod.volumes(folders, watch=True)
    values = {"AGENT_NAME": NAME, "AGENT_TOOL_STATUS": "true"}
    values |= runtime_pod.environment(service, around, join=join)
    shared = runtime_pod.shared_pod_fields(SELECTOR)
    container = {
        "name": NAME,
        "image": service.image,
        "command": [COMMAND],
        "args": list(ARGS),
        "env": runtime_pod.variables(values | runtime_pod.watch_environment()),
        "ports": [
            {"name": "http", "containerPort": HTTP_PORT},
            {"name": "metrics", "containerPort": METRICS_PORT},
        ],
        "readinessProbe": probe("/readyz", "metrics", period=5, failures=2),
        "livenessProbe": probe("/healthz", "metrics", period=15, failures=4),
        "resources": config.resources,
        "resizePolicy": RESIZE_IN_PLACE,
        "securityContext": shared["securityContext"],
        "volumeMounts": mounts,
    }
    return {
        "priorityClassName": "agentic-agents",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "serviceAccountName": NAME,
        "terminationGracePeriodSeconds": 30,
        "securityContext": shared["podSecurityContext"],
        "affinity": shared["affinity"],
        "volumes": volumes,
        "containers": [container],
    }


def status_rules() -> list[dict[str, Any]]:
    """What the server may do beside watching: say in each Tool what became of it."""
    return [{"apiGroups": ["tools.kagent.dev"], "resources": ["tools/status"], "verbs": ["patch"]}]


def manifests(
    config: ToolServerConfig, pod: Mapping[str, Any], *, namespace: Any
) -> dict[str, dict[str, Any]]:
    """Every object but the one by which kagent knows the server, by what it is."""

    def made(version: str, kind: str, body: dict[str, Any], name: str = NAME) -> dict[str, Any]:
        meta = metadata(name, component="agent", namespace=namespace)
        return {"apiVersion": version, "kind": kind, "metadata": meta} | body

    rbac = "rbac.authorization.k8s.io"
    role = {"apiGroup": rbac, "kind": "Role", "name": NAME}
    account = {"kind": "ServiceAccount", "name": NAME, "namespace": namespace}
    ports = {"http": HTTP_PORT, "metrics": METRICS_PORT}
    service = {
        "selector": SELECTOR,
        "ports": [{"name": it, "port": port, "targetPort": it} for it, port in ports.items()],
    }
    matching = {"matchLabels": SELECTOR}
    template = {
        "metadata": {"labels": standard_labels(NAME, component="agent")},
        "spec": dict(pod),
    }
    deployment = {
        "replicas": config.replicas,
        "selector": matching,
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
        },
        "template": template,
    }
    budget = {"maxUnavailable": 1, "selector": matching}
    return {
        "account": made("v1", "ServiceAccount", {"automountServiceAccountToken": False}),
        "role": made(f"{rbac}/v1", "Role", {"rules": status_rules()}),
        "binding": made(f"{rbac}/v1", "RoleBinding", {"roleRef": role, "subjects": [account]}),
        "budget": made("policy/v1", "PodDisruptionBudget", {"spec": budget}),
        "service": made("v1", "Service", {"spec": service}),
        "deployment": made("apps/v1", "Deployment", {"spec": deployment}),
    }


def kagent_manifest(config: ToolServerConfig, *, url: Any, namespace: Any) -> dict[str, Any]:
    """The server as agents of kagent in the same namespace name it among their tools."""
    return {
        "apiVersion": KAGENT,
        "kind": "RemoteMCPServer",
        "metadata": metadata(NAME, component="agent", namespace=namespace),
        "spec": {
            "description": "the platform's Tools, under the same policy as in its own agents",
            "protocol": "STREAMABLE_HTTP",
            "url": url,
            "timeout": f"{TIMEOUT_SECONDS}s",
            "headersFrom": [{"name": TENANT_HEADER, "value": config.tenant}],
        },
    }


class ToolServer(ComponentResource):
    """The server behind its Service, and where kagent runs, the object by which it knows it."""

    url: Output[str]
    """Where MCP clients in the cluster reach it."""

    def __init__(
        self,
        name: str,
        *,
        config: ToolServerConfig,
        service: AgentServiceConfig,
        tools: Sequence[ToolDocument],
        namespace: Input[str],
        around: Surroundings,
        opts: ResourceOptions | None = None,
    ) -> None:
        """`service` is how the stack's agents run: the server shares image and authentication."""
        super().__init__("agentic:agents:ToolServer", name, None, opts)
        pod = pod_spec(
            config,
            service=service,
            tools=tools,
            around=around,
            join=lambda parts: Output.concat(*parts),
        )
        objects = manifests(config, pod, namespace=namespace)
        last = objects.pop("deployment")
        own = child_options(self, opts)
        before = [
            kubernetes_object(f"{name}-{what}", manifest, opts=own)
            for what, manifest in objects.items()
        ]
        waiting = ResourceOptions(parent=self, depends_on=before)
        made = kubernetes_object(f"{name}-deployment", last, opts=waiting)
        host = Output.concat("http://", NAME, ".", namespace, ".svc.cluster.local")
        self.url = after(Output.concat(host, f":{HTTP_PORT}/mcp"), [made])
        if service.controller == "kagent":
            known = kagent_manifest(config, url=self.url, namespace=namespace)
            kubernetes_object(f"{name}-kagent", known, opts=ResourceOptions(parent=self))
        self.register_outputs({"url": self.url})
