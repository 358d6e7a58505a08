"""An agent as Kubernetes objects: from its document to a Deployment that kagent or we make."""

from collections.abc import Sequence
from typing import Any

from pulumi import ComponentResource, Input, Output, ResourceOptions

from agents.document import AgentDocument, ToolDocument
from components import agent_pod
from components.agent_pod import ARGS
from components.base import metadata
from components.child_options import child_options
from components.kubernetes_object import kubernetes_object
from components.ordering import after
from components.pod_features import RESIZE_IN_PLACE
from components.runtime_pod import (
    COMMAND,
    HTTP_PORT,
    METRICS_PORT,
    AgentServiceConfig,
    Surroundings,
    probe,
    shared_pod_fields,
)
from inference.catalog import Catalog

KAGENT = "kagent.dev/v1alpha2"
A2A_PROTOCOL = "kgateway.dev/a2a"

Manifests = dict[str, dict[str, Any]]


def manifests(
    agent: AgentDocument,
    tools: Sequence[ToolDocument],
    *,
    config: AgentServiceConfig,
    catalog: Catalog,
    around: Surroundings,
    namespace: Any,
    join: Any = "".join,
) -> Manifests:
    """Every object of one agent by what it is."""
    name = agent.metadata.name
    data: dict[str, Any] = dict(agent_pod.config_data(agent, tools, catalog))
    config_digest = agent_pod.digest(data, watched=config.tool_watch == "cluster")
    if config.auth == "jwt":
        data["jwks.json"] = around.jwks

    def made(version: str, kind: str, object_name: str, body: dict[str, Any]) -> dict[str, Any]:
        labels = agent_pod.labels(name)
        meta = metadata(object_name, component="agent", namespace=namespace, labels=labels)
        return {"apiVersion": version, "kind": kind, "metadata": meta} | body

    selector = {"matchLabels": agent_pod.labels(name)}
    found = {
        "config": made("v1", "ConfigMap", f"{name}-config", {"data": data}),
        "account": made("v1", "ServiceAccount", name, {"automountServiceAccountToken": False}),
        "metrics": made("v1", "Service", f"{name}-metrics", {"spec": metrics_service_spec(name)}),
        "budget": made(
            "policy/v1",
            "PodDisruptionBudget",
            name,
            {"spec": {"maxUnavailable": 1, "selector": selector}},
        ),
    }
    pod = pod_spec(agent, tools, config=config, around=around, join=join)
    if config.controller == "kagent":
        spec = kagent_spec(agent, config=config, pod=pod, config_digest=config_digest)
        return found | {"agent": made(KAGENT, "Agent", name, {"spec": spec})}
    spec = deployment_spec(name, config=config, pod=pod, config_digest=config_digest)
    return found | {
        "deployment": made("apps/v1", "Deployment", name, {"spec": spec}),
        "service": made("v1", "Service", name, {"spec": service_spec(name)}),
    }


def pod_spec(
    agent: AgentDocument,
    tools: Sequence[ToolDocument],
    *,
    config: AgentServiceConfig,
    around: Surroundings,
    join: Any = "".join,
) -> dict[str, Any]:
    """env, volumes, volumeMounts, resources and security, as both renderings use them."""
    volumes, mounts = agent_pod.volumes(agent, tools, config, around)
    return {
        "image": config.image,
        "env": agent_pod.env(agent, config, around, join=join),
        "volumes": volumes,
        "volumeMounts": mounts,
        "resources": agent.spec.resources.model_dump(mode="json"),
        "serviceAccountName": agent.metadata.name,
    } | shared_pod_fields(agent_pod.labels(agent.metadata.name))


def kagent_spec(
    agent: AgentDocument, *, config: AgentServiceConfig, pod: dict[str, Any], config_digest: str
) -> dict[str, Any]:
    """An Agent of type BYO; without replicas, which the controller would write over a scaler's."""
    deployment = pod | {
        "cmd": COMMAND,
        "args": list(ARGS),
        "labels": {
            key: value
            for key, value in agent_pod.pod_labels(agent.metadata.name).items()
            if key not in agent_pod.labels(agent.metadata.name)
        },
        "annotations": {agent_pod.DIGEST_ANNOTATION: config_digest},
    }
    if config.replicas is not None:
        deployment["replicas"] = config.replicas
    return {
        "type": "BYO",
        "description": agent.spec.description or agent.metadata.name,
        "byo": {"deployment": deployment},
    }


def deployment_spec(
    name: str, *, config: AgentServiceConfig, pod: dict[str, Any], config_digest: str
) -> dict[str, Any]:
    """What kagent's controller would make of the same Agent, with probes of our own."""
    container_fields = ("image", "env", "volumeMounts", "resources", "securityContext")
    container = {
        "name": "kagent",
        "command": [COMMAND],
        "args": list(ARGS),
        "ports": [
            {"name": "http", "containerPort": HTTP_PORT},
            {"name": "metrics", "containerPort": METRICS_PORT},
        ],
        "readinessProbe": probe(agent_pod.CARD_PATH, "http", period=5, failures=2),
        "livenessProbe": probe("/healthz", "metrics", period=15, failures=4),
        "resizePolicy": RESIZE_IN_PLACE,
    } | {field: pod[field] for field in container_fields}
    spec = {
        # kagent's Agent has no field for it: Agents that its controller runs have no class.
        "priorityClassName": "agentic-agents",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "serviceAccountName": pod["serviceAccountName"],
        # kagent's Pods have the default grace period too, and the runtime drains within it.
        "terminationGracePeriodSeconds": 30,
        "securityContext": pod["podSecurityContext"],
        "affinity": pod["affinity"],
        "volumes": pod["volumes"],
        "containers": [container],
    }
    template = {
        "metadata": {
            "labels": agent_pod.pod_labels(name),
            "annotations": {agent_pod.DIGEST_ANNOTATION: config_digest},
        },
        "spec": spec,
    }
    found: dict[str, Any] = {
        "selector": {"matchLabels": agent_pod.labels(name)},
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
        },
        "template": template,
    }
    return found if config.replicas is None else found | {"replicas": config.replicas}


def service_spec(name: str) -> dict[str, Any]:
    port = {
        "name": "http",
        "port": HTTP_PORT,
        "targetPort": HTTP_PORT,
        "appProtocol": A2A_PROTOCOL,
    }
    return {"selector": agent_pod.labels(name), "ports": [port]}


def metrics_service_spec(name: str) -> dict[str, Any]:
    """kagent's Pods name no port for metrics, so the monitors get a Service that does."""
    port = {"name": "metrics", "port": METRICS_PORT, "targetPort": METRICS_PORT}
    return {"selector": agent_pod.labels(name), "ports": [port]}


class AgentService(ComponentResource):
    """One agent behind the Service of its name."""

    url: Output[str]
    """Where Pods of the cluster reach it, without a path."""

    def __init__(
        self,
        name: str,
        *,
        config: AgentServiceConfig,
        agent: AgentDocument,
        tools: Sequence[ToolDocument],
        catalog: Catalog,
        namespace: Input[str],
        around: Surroundings,
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("agentic:agents:AgentService", name, None, opts)
        objects = manifests(
            agent,
            tools,
            config=config,
            catalog=catalog,
            around=around,
            namespace=namespace,
            join=lambda parts: Output.concat(*parts),
        )
        workload = "agent" if config.controller == "kagent" else "deployment"
        last = objects.pop(workload)
        before = [
            kubernetes_object(f"{name}-{what}", manifest, opts=child_options(self, opts))
            for what, manifest in objects.items()
        ]
        made = kubernetes_object(
            f"{name}-{workload}", last, opts=ResourceOptions(parent=self, depends_on=before)
        )
        host = Output.concat("http://", agent.metadata.name, ".", namespace)
        self.url = after(Output.concat(host, f".svc.cluster.local:{HTTP_PORT}"), [made])
        self.register_outputs({"url": self.url})
