"""A Job that makes the vector store's databases, collections and users, by the runtime's image."""

import hashlib
import json
from typing import Any, Literal, Self

from pulumi import ComponentResource, Input, ResourceOptions
from pydantic import Field, model_validator

from components.base import ConfigModel, metadata
from components.kubernetes_object import kubernetes_object
from components.pod_security import restricted_container, restricted_pod

NAME = "milvus-bootstrap"
WAIT_SECONDS = "60"
"""A store that comes up beside the Job is sooner there than the Job's next Pod."""
PLAN_DIRECTORY = "/etc/milvus-plan"
SECRETS_DIRECTORY = "/var/run/milvus-users"
CA_DIRECTORY = "/var/run/milvus-ca"
MISTAKE_AND_DRIFT = [2, 3]
"""Exit statuses of the command that trying again can't change."""


class VectorStoreUser(ConfigModel):
    """A user besides root; its password is the key of its name in `authSecret`."""

    access: Literal["read", "readWrite"] = "readWrite"
    """read: search only."""
    databases: tuple[str, ...] = Field(default=("default",), min_length=1)
    """The databases it may enter."""


class CollectionBootstrapConfig(ConfigModel):
    """What a stack decides about collections."""

    collections: tuple[str, ...] = ("agent_knowledge",)
    """Made in the database `default` when missing, compared when there, never dropped."""
    databases: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Collections of further databases, for tenants that must not share one."""
    embedding_dimension: int = Field(default=1536, ge=2, le=32768)
    """Length of the vectors."""
    auth_secret: str | None = None
    """Secret in ai-agents with the password of each user and of `root`; needs
    vectorStore.authentication. None: the store asks for no password."""
    users: dict[str, VectorStoreUser] = Field(default_factory=dict)
    """Made when missing, with a role of their own."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if "default" in self.databases:
            raise ValueError("databases.default: list its collections under `collections`")
        if not self.collections and not self.databases:
            raise ValueError("collections: give at least one, here or in `databases`")
        if self.users and self.auth_secret is None:
            raise ValueError("users: they need authSecret, where their passwords are")
        known = {"default", *self.databases}
        for name, user in self.users.items():
            if unknown := sorted(set(user.databases) - known):
                allowed = ", ".join(sorted(known))
                raise ValueError(
                    f"users.{name}.databases: {unknown[0]!r} is no database; there are: {allowed}"
                )
        return self


def plan_of(config: CollectionBootstrapConfig) -> dict[str, Any]:
    """The plan as `python -m agent_runtime bootstrap-milvus` reads it."""
    return {
        "embeddingDimension": config.embedding_dimension,
        "databases": {
            "default": list(config.collections),
            **{name: list(each) for name, each in config.databases.items()},
        },
        "users": {
            name: {"access": user.access, "databases": list(user.databases)}
            for name, user in config.users.items()
        },
        "authentication": config.auth_secret is not None,
    }


def plan_digest(config: CollectionBootstrapConfig) -> str:
    """Changes with the plan, so that another plan is another Job: a Job can't be changed."""
    return hashlib.sha256(json.dumps(plan_of(config), sort_keys=True).encode()).hexdigest()[:8]


def plan_manifest(config: CollectionBootstrapConfig, *, namespace: Any) -> dict[str, Any]:
    """The ConfigMap that holds the plan."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(
            f"{NAME}-{plan_digest(config)}", component="data", namespace=namespace
        ),
        "data": {"plan.json": json.dumps(plan_of(config), indent=2, sort_keys=True)},
    }


def bootstrap_job_manifest(
    config: CollectionBootstrapConfig,
    *,
    namespace: Any,
    image: Any,
    vector_store_url: Any,
    ca_secret: str | None = None,
) -> dict[str, Any]:
    """A Job that is tried for ten minutes, since the store may still be starting; a mistake in the
    plan, and a collection of another shape, end it at once."""
    name = f"{NAME}-{plan_digest(config)}"
    about = metadata(name, component="data", namespace=namespace)
    pod = {
        "restartPolicy": "Never",
        "priorityClassName": "agentic-batch",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": restricted_pod(),
        "containers": [_container(config, namespace, image, vector_store_url, ca_secret)],
        "volumes": _volumes(config, name, ca_secret),
    }
    ends_it = {"operator": "In", "values": MISTAKE_AND_DRIFT, "containerName": "bootstrap"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": about,
        "spec": {
            "backoffLimit": 10,
            "activeDeadlineSeconds": 600,
            "podFailurePolicy": {"rules": [{"action": "FailJob", "onExitCodes": ends_it}]},
            "template": {"metadata": {"labels": about["labels"]}, "spec": pod},
        },
    }


def _container(
    config: CollectionBootstrapConfig,
    namespace: Any,
    image: Any,
    vector_store_url: Any,
    ca_secret: str | None,
) -> dict[str, Any]:
    environment = {
        "AGENT_NAME": NAME,
        "AGENT_NAMESPACE": namespace,
        "AGENT_MILVUS_URL": vector_store_url,
    }
    mounts = [
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 # in the container
        {"name": "plan", "mountPath": PLAN_DIRECTORY, "readOnly": True},
    ]
    if config.auth_secret:
        environment["AGENT_SECRETS_DIR"] = SECRETS_DIRECTORY
        mounts.append({"name": "users", "mountPath": SECRETS_DIRECTORY, "readOnly": True})
    if ca_secret:
        environment["AGENT_MILVUS_CA_FILE"] = f"{CA_DIRECTORY}/ca.crt"
        mounts.append({"name": "ca", "mountPath": CA_DIRECTORY, "readOnly": True})
    program = ["python", "-m", "agent_runtime", "bootstrap-milvus"]
    return {
        "name": "bootstrap",
        "image": image,
        "command": [*program, "--plan", f"{PLAN_DIRECTORY}/plan.json", "--wait", WAIT_SECONDS],
        "env": [{"name": key, "value": value} for key, value in environment.items()],
        "resources": {
            "requests": {"cpu": "50m", "memory": "128Mi"},
            "limits": {"memory": "512Mi"},
        },
        "securityContext": restricted_container(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts,
    }


def _volumes(
    config: CollectionBootstrapConfig, name: str, ca_secret: str | None
) -> list[dict[str, Any]]:
    volumes: list[dict[str, Any]] = [
        {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
        {"name": "plan", "configMap": {"name": name}},
    ]
    if config.auth_secret:
        users = ["root", *config.users]
        items = [{"key": user, "path": user} for user in users]
        secret = {"secretName": config.auth_secret, "items": items}
        volumes.append({"name": "users", "secret": secret})
    if ca_secret:
        items = [{"key": "ca.crt", "path": "ca.crt"}]
        volumes.append({"name": "ca", "secret": {"secretName": ca_secret, "items": items}})
    return volumes


class CollectionBootstrap(ComponentResource):
    """The plan and the Job that carries it out."""

    def __init__(
        self,
        name: str,
        *,
        config: CollectionBootstrapConfig,
        namespace: Input[str],
        image: Input[str],
        vector_store_url: Input[str],
        ca_secret: str | None = None,
        opts: ResourceOptions | None = None,
    ) -> None:
        """`ca_secret` holds the key `ca.crt` of a store with TLS, in `namespace`."""
        super().__init__("agentic:data:CollectionBootstrap", name, None, opts)
        own = ResourceOptions(parent=self)
        plan = kubernetes_object(
            f"{name}-plan", plan_manifest(config, namespace=namespace), opts=own
        )
        job = bootstrap_job_manifest(
            config,
            namespace=namespace,
            image=image,
            vector_store_url=vector_store_url,
            ca_secret=ca_secret,
        )
        kubernetes_object(
            f"{name}-bootstrap", job, opts=ResourceOptions(parent=self, depends_on=[plan])
        )
        self.register_outputs({})
