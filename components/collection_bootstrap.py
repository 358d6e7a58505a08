"""A Job that makes the vector store's collections, with the runtime's own idea of their schema."""

from typing import Any

from pulumi import ComponentResource, Input, ResourceOptions
from pydantic import Field

from components.base import ConfigModel, metadata
from components.kubernetes_object import kubernetes_object
from components.pod_security import restricted_container, restricted_pod

NAME = "collection-bootstrap"


class CollectionBootstrapConfig(ConfigModel):
    """What a stack decides about collections."""

    collections: tuple[str, ...] = Field(default=("agent_knowledge",), min_length=1)
    """Made when missing, left alone when there."""
    embedding_dimension: int = Field(default=1536, ge=2, le=32768)
    """Length of the vectors."""


def collection_job_manifest(
    config: CollectionBootstrapConfig,
    collection: str,
    *,
    namespace: Any,
    image: Any,
    vector_store_url: Any,
) -> dict[str, Any]:
    """A Job that is tried for ten minutes, since the store may still be starting."""
    name = f"{NAME}-{collection.replace('_', '-')}"
    about = metadata(name, component="data", namespace=namespace)
    container = {
        "name": "collections",
        "image": image,
        "command": ["python", "-m", "agent_runtime", "collections", "--ensure", collection],
        "env": [
            {"name": "AGENT_NAME", "value": NAME},
            {"name": "AGENT_NAMESPACE", "value": namespace},
            {"name": "AGENT_MILVUS_URL", "value": vector_store_url},
            {"name": "AGENT_EMBEDDING_DIMENSION", "value": str(config.embedding_dimension)},
        ],
        "resources": {
            "requests": {"cpu": "50m", "memory": "128Mi"},
            "limits": {"memory": "512Mi"},
        },
        "securityContext": restricted_container(),
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 # in the container
    }
    pod = {
        "restartPolicy": "OnFailure",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": restricted_pod(),
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": about,
        "spec": {
            "backoffLimit": 10,
            "activeDeadlineSeconds": 600,
            "template": {"metadata": {"labels": about["labels"]}, "spec": pod},
        },
    }


class CollectionBootstrap(ComponentResource):
    """One Job a collection."""

    def __init__(
        self,
        name: str,
        *,
        config: CollectionBootstrapConfig,
        namespace: Input[str],
        image: Input[str],
        vector_store_url: Input[str],
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("agentic:data:CollectionBootstrap", name, None, opts)
        for collection in config.collections:
            job = collection_job_manifest(
                config,
                collection,
                namespace=namespace,
                image=image,
                vector_store_url=vector_store_url,
            )
            kubernetes_object(f"{name}-{collection}", job, opts=ResourceOptions(parent=self))
        self.register_outputs({})
