"""What the sample agent works with: a ticketing service, and documents in its collection."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pulumi import ComponentResource, Input, Output, ResourceOptions
from pydantic import Field, PositiveInt

from components.base import ConfigModel, metadata
from components.child_options import child_options
from components.kubernetes_object import kubernetes_object
from components.pod_security import restricted_container, restricted_pod

TICKETING = "ticketing-service"
TICKETING_PORT = 8080
"""Above 1024, so that an ordinary user's machine can serve it too."""
TOKEN_DIRECTORY = "/var/run/ticketing"  # noqa: S105 # a mount path
KNOWLEDGE_DIRECTORY = "/etc/knowledge"
GATEWAY_KEY_DIRECTORY = "/var/run/agent/secrets/gateway"
DOCUMENT_NAME = re.compile(r"[-._a-zA-Z0-9]{1,253}\.(md|txt)")
LARGEST_CONFIG_MAP = 1_000_000


class SampleServicesConfig(ConfigModel):
    """What a stack decides about the samples; without this key there are none."""

    knowledge: str = "agents/samples/knowledge"
    """Folder of Markdown and text files, relative to the checkout."""
    collection: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,254}$")] = "support-docs"
    """Collection of the vector store that the documents go into."""
    tenant: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")] = "demo"
    """The tenant that may read them."""
    runtime_image: Annotated[str, Field(min_length=1)]
    """The agent runtime, whose `ingest` command loads the documents."""
    ticketing_image: Annotated[str, Field(min_length=1)] = "process.local/ticketing-service:dev"
    """A process of the local plane; there is no container image of it."""
    embedding_model: str = "all-minilm-l6-v2"
    """Public name at the gateway; must be the one that the agents search with."""
    embedding_dimension: PositiveInt = 1536
    """Length of the collection's vectors; must be the agents' own."""


@dataclass(frozen=True)
class SampleSurroundings:
    """Addresses and Secret names; each may be an Output."""

    gateway_url: Any
    gateway_key_secret: Any
    """Secret with key `key`."""
    vector_store_url: Any
    ticketing_secret: Any
    """Secret with key `token`."""


def read_knowledge(folder: Path) -> dict[str, str]:
    """The documents by file name; ValueError names every file that can't go into a ConfigMap."""
    if not folder.is_dir():
        raise ValueError(f"knowledge folder {str(folder)!r} does not exist; correct `knowledge`")
    problems: list[str] = []
    found: dict[str, str] = {}
    for file in sorted(folder.iterdir()):
        if not DOCUMENT_NAME.fullmatch(file.name):
            problems.append(f"{file.name!r}: allowed are letters, digits, . _ - and .md or .txt")
            continue
        try:
            found[file.name] = file.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            problems.append(f"{file.name!r}: is not readable as UTF-8 text")
    size = sum(len(text.encode()) for text in found.values())
    if size > LARGEST_CONFIG_MAP:
        problems.append(f"{size} bytes in all; a ConfigMap takes {LARGEST_CONFIG_MAP}")
    if not found and not problems:
        problems.append("no document is there; add a .md file")
    if problems:
        raise ValueError("\n".join(f"knowledge folder {folder.name}: {each}" for each in problems))
    return found


def knowledge_manifest(
    config: SampleServicesConfig, documents: Mapping[str, str], *, namespace: Any
) -> dict[str, Any]:
    """The documents as files for the Job."""
    name = f"{_object_name(config)}-knowledge"
    about = metadata(name, component="sample", namespace=namespace)
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": about, "data": dict(documents)}


def ingest_job_manifest(
    config: SampleServicesConfig,
    documents: Mapping[str, str],
    *,
    around: SampleSurroundings,
    namespace: Any,
    join: Any = "".join,
) -> dict[str, Any]:
    """A Job that loads the documents; it is tried anew for ten minutes while models start.

    Its name holds a digest: a Job can't be changed, and changed documents must be loaded again.
    `join` concatenates strings that may be Outputs.
    """
    content = {"config": config.model_dump(mode="json"), "documents": dict(documents)}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]
    name = _object_name(config)
    about = metadata(f"ingest-{name}-{digest}", component="sample", namespace=namespace)
    env = _ingest_environment(config, around, join)
    command = ["python", "-m", "agent_runtime", "ingest", "--collection", config.collection]
    container = {
        "name": "ingest",
        "image": config.runtime_image,
        "command": [*command, "--tenant", config.tenant, KNOWLEDGE_DIRECTORY],
        "env": [{"name": key, "value": value} for key, value in env.items()],
        "resources": _resources("256Mi"),
        "securityContext": restricted_container(),
        "volumeMounts": [
            {"name": "knowledge", "mountPath": KNOWLEDGE_DIRECTORY, "readOnly": True},
            {"name": "key", "mountPath": GATEWAY_KEY_DIRECTORY, "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 # a volume of the Pod's own
        ],
    }
    volumes = [
        {"name": "knowledge", "configMap": {"name": f"{name}-knowledge"}},
        {"name": "key", "secret": {"secretName": around.gateway_key_secret, "defaultMode": 0o440}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
    ]
    spec = {
        "backoffLimit": 20,
        "activeDeadlineSeconds": 600,
        "template": {
            "metadata": {"labels": about["labels"]},
            "spec": _pod(container, volumes) | {"restartPolicy": "OnFailure"},
        },
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": about, "spec": spec}


def ticketing_manifests(
    config: SampleServicesConfig, *, around: SampleSurroundings, namespace: Any
) -> dict[str, dict[str, Any]]:
    """Deployment and Service; the tickets live as long as the Pod."""
    about = metadata(TICKETING, component="sample", namespace=namespace)
    selector = {"app.kubernetes.io/name": TICKETING}
    token = {"secretName": around.ticketing_secret, "defaultMode": 0o440}
    volumes = [
        {"name": "token", "secret": token},
        {"name": "data", "emptyDir": {"sizeLimit": "64Mi"}},
    ]
    pod = _pod(_ticketing_container(config), volumes)
    template = {"metadata": {"labels": about["labels"]}, "spec": pod}
    port = {"name": "http", "port": TICKETING_PORT, "targetPort": "http"}
    return {
        "deployment": {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": about,
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": selector},
                "template": template,
            },
        },
        "service": {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": about,
            "spec": {"selector": selector, "ports": [port]},
        },
    }


def _ticketing_container(config: SampleServicesConfig) -> dict[str, Any]:
    arguments = ["--host", "$(POD_IP)", "--port", str(TICKETING_PORT)]
    arguments += ["--token-file", f"{TOKEN_DIRECTORY}/token", "--data", "/data/tickets.json"]
    return {
        "name": "ticketing",
        "image": config.ticketing_image,
        "command": ["python", "-m", "local.workloads.ticket_service"],
        "args": arguments,
        "env": [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
        "ports": [{"name": "http", "containerPort": TICKETING_PORT}],
        "readinessProbe": {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 2},
        "resources": _resources("128Mi"),
        "securityContext": restricted_container(),
        "volumeMounts": [
            {"name": "token", "mountPath": TOKEN_DIRECTORY, "readOnly": True},
            {"name": "data", "mountPath": "/data"},
        ],
    }


def _ingest_environment(
    config: SampleServicesConfig, around: SampleSurroundings, join: Any
) -> dict[str, Any]:
    return {
        "AGENT_NAME": "ingest",
        "AGENT_MODEL_BASE_URL": join([around.gateway_url, "/v1"]),
        "AGENT_MODEL_API_KEY_FILE": f"{GATEWAY_KEY_DIRECTORY}/key",
        "AGENT_EMBEDDING_MODEL": config.embedding_model,
        "AGENT_EMBEDDING_DIMENSION": str(config.embedding_dimension),
        "AGENT_MILVUS_URL": around.vector_store_url,
    }


def _object_name(config: SampleServicesConfig) -> str:
    """The collection's name as Kubernetes takes it."""
    return config.collection.lower().replace("_", "-").strip("-")[:40]


def _resources(memory: str) -> dict[str, Any]:
    return {"requests": {"cpu": "50m", "memory": memory}, "limits": {"memory": "512Mi"}}


def _pod(container: dict[str, Any], volumes: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": restricted_pod(),
        "containers": [container],
        "volumes": volumes,
    }


class SampleServices(ComponentResource):
    """The ticketing service and the loaded documents of the sample agent."""

    ticketing_url: Output[str]
    """The service as a Pod of the same namespace calls it."""

    def __init__(
        self,
        name: str,
        *,
        config: SampleServicesConfig,
        documents: Mapping[str, str],
        around: SampleSurroundings,
        namespace: Input[str],
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("agentic:agents:SampleServices", name, None, opts)
        children = child_options(self, opts)
        knowledge = kubernetes_object(
            f"{name}-knowledge",
            knowledge_manifest(config, documents, namespace=namespace),
            opts=children,
        )
        job = ingest_job_manifest(
            config,
            documents,
            around=around,
            namespace=namespace,
            join=lambda parts: Output.concat(*parts),
        )
        after_documents = ResourceOptions.merge(children, ResourceOptions(depends_on=[knowledge]))
        kubernetes_object(f"{name}-ingest", job, opts=after_documents)
        services = ticketing_manifests(config, around=around, namespace=namespace)
        for part, manifest in services.items():
            kubernetes_object(f"{name}-ticketing-{part}", manifest, opts=children)
        self.ticketing_url = Output.from_input(f"http://{TICKETING}:{TICKETING_PORT}")
        self.register_outputs({"ticketing_url": self.ticketing_url})
