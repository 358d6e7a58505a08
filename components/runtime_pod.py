"""What the platform gives every Pod of the runtime image, whichever of its commands runs there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from components.base import ConfigModel
from components.pod_security import restricted_container, restricted_pod

CONFIG_FOLDER = "/etc/agent"
SECRETS_FOLDER = "/var/run/agent/secrets"
API_FOLDER = "/var/run/agent/kubernetes"
HTTP_PORT = 8080
METRICS_PORT = 9090
COMMAND = "python"
CA_FOLDERS = ("session-store-ca", "vector-store-ca")
RESERVED_FOLDERS = ("gateway", "session-store", "vector-store", "traces", *CA_FOLDERS)
TOKEN_SECONDS = 3600
"""Life of a Pod's token of the Kubernetes API; the kubelet renews it at four fifths of that."""


class AgentServiceConfig(ConfigModel):
    """What a stack decides about running agents; what an agent is stands in its document."""

    controller: Literal["kagent", "none"]
    """kagent: its controller makes the Deployment from an Agent object · none: made directly."""
    image: Annotated[str, Field(min_length=1)]
    """The agent runtime."""
    replicas: Annotated[int, Field(ge=0, le=1000)] | None = None
    """Only where nothing scales the agent: a number here would be written over the scaler's."""
    auth: Literal["gateway", "jwt", "none"] = "gateway"
    """gateway: the tenant is the one that the gateway proved · jwt: the Pod verifies the token."""
    jwt_issuer: str | None = None
    """What a token's `iss` must be; needed with auth `jwt`."""
    jwt_audience: str | None = None
    """What a token's `aud` must hold; needed with auth `jwt`."""
    embedding_model: str = "all-minilm-l6-v2"
    """Public name at the gateway."""
    embedding_dimension: Annotated[int, Field(ge=1, le=32768)] = 1536
    """Length of the collections' vectors; a model's shorter ones are padded with zeros."""
    allowed_hosts: tuple[Annotated[str, Field(pattern=r"^[a-z0-9.-]{1,253}$")], ...] = ()
    """Services in the cluster that tools may call; an agent's author can't add one."""
    tool_watch: Literal["files", "cluster"] = "files"
    """files: a changed Tool reaches agents by their ConfigMap, with a rollout · cluster: agents
    watch the Tool objects of ai-agents with a token that may do nothing else, without a rollout."""

    @model_validator(mode="after")
    def _jwt_is_complete(self) -> Self:
        if self.auth == "jwt" and not (self.jwt_issuer and self.jwt_audience):
            raise ValueError("auth 'jwt' needs jwtIssuer and jwtAudience")
        return self


@dataclass(frozen=True)
class Surroundings:
    """Addresses and Secret names that a Pod of the runtime is given; each may be an Output."""

    gateway_url: Any
    gateway_key_secret: Any
    """Secret with key `key`."""
    session_store_secret: Any
    """Secret with key `password`."""
    vector_store_url: Any
    session_store_host: Any = None
    """Default: the document's."""
    session_store_port: int | None = None
    session_store_tls: bool = False
    session_store_replicas: int = 0
    """Copies that the store keeps of what it holds."""
    session_store_ca_secret: str | None = None
    """Secret with key `ca.crt`, where the store's certificate is signed by a CA of its own."""
    vector_store_token_secret: str | None = None
    """Secret with key `token` (`user:password`), where the store asks for a password."""
    vector_store_ca_secret: str | None = None
    """Secret with key `ca.crt`, where the store speaks TLS."""
    traces_url: Any = None
    traces_headers_secret: Any = None
    """Secret with key `headers`."""
    jwks: Any = None
    """Key set for auth `jwt`."""
    queue: str | None = None
    """Redis list of the agent's waiting runs; agents that share a store need one each."""


def environment(config: AgentServiceConfig, around: Surroundings, *, join: Any) -> dict[str, Any]:
    """Variables of the runtime's `Settings` that don't depend on the command; None: left out.

    `join` concatenates strings that may be Outputs: `"".join` in a test, `Output.concat` here.
    """
    values: dict[str, Any] = {
        "AGENT_PORT": str(HTTP_PORT),
        "AGENT_METRICS_PORT": str(METRICS_PORT),
        "AGENT_MODEL_BASE_URL": join([around.gateway_url, "/v1"]),
        "AGENT_MODEL_API_KEY_FILE": f"{SECRETS_FOLDER}/gateway/key",
        "AGENT_EMBEDDING_MODEL": config.embedding_model,
        "AGENT_EMBEDDING_DIMENSION": str(config.embedding_dimension),
        "AGENT_REDIS_HOST": around.session_store_host,
        "AGENT_REDIS_PORT": str(around.session_store_port) if around.session_store_port else None,
        "AGENT_REDIS_PASSWORD_FILE": f"{SECRETS_FOLDER}/session-store/password",
        "AGENT_REDIS_TLS": str(around.session_store_tls).lower(),
        "AGENT_MILVUS_URL": around.vector_store_url,
        "AGENT_OTLP_ENDPOINT": around.traces_url,
        "AGENT_AUTH": config.auth,
        "AGENT_SECRETS_DIR": SECRETS_FOLDER,
        "AGENT_ALLOWED_HOSTS": ",".join(config.allowed_hosts),
    }
    if around.session_store_replicas:
        # one: the store itself takes no write while none follows, and may lose any one server
        values["AGENT_STORE_REPLICAS"] = "1"
    if around.session_store_ca_secret is not None:
        values["AGENT_REDIS_CA_FILE"] = f"{SECRETS_FOLDER}/session-store-ca/ca.crt"
    if around.vector_store_token_secret is not None:
        values["AGENT_MILVUS_TOKEN_FILE"] = f"{SECRETS_FOLDER}/vector-store/token"
    if around.vector_store_ca_secret is not None:
        values["AGENT_MILVUS_CA_FILE"] = f"{SECRETS_FOLDER}/vector-store-ca/ca.crt"
    if around.traces_headers_secret is not None:
        values["AGENT_OTLP_HEADERS_FILE"] = f"{SECRETS_FOLDER}/traces/headers"
    if config.auth == "jwt":
        values["AGENT_JWKS_FILE"] = f"{CONFIG_FOLDER}/jwks.json"
        values["AGENT_JWT_ISSUER"] = config.jwt_issuer
        values["AGENT_JWT_AUDIENCE"] = config.jwt_audience
    return values


def watch_environment() -> dict[str, str]:
    """Variables by which a process follows the Tool objects of its namespace."""
    return {
        "AGENT_TOOL_WATCH": "cluster",
        "AGENT_KUBERNETES_TOKEN_FILE": f"{API_FOLDER}/token",
        "AGENT_KUBERNETES_CA_FILE": f"{API_FOLDER}/ca.crt",
    }


def variables(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """`env` of a container: the given values, and what only the kubelet knows."""
    by_pod = {"AGENT_NAMESPACE": "metadata.namespace", "AGENT_BIND_HOST": "status.podIP"}
    return [
        *({"name": key, "value": value} for key, value in values.items() if value is not None),
        *(
            {"name": key, "valueFrom": {"fieldRef": {"fieldPath": path}}}
            for key, path in by_pod.items()
        ),
    ]


def secret_folders(around: Surroundings) -> dict[str, Any]:
    """The platform's own Secrets by their folder below the secrets folder."""
    given = {
        "gateway": around.gateway_key_secret,
        "session-store": around.session_store_secret,
        "session-store-ca": around.session_store_ca_secret,
        "vector-store": around.vector_store_token_secret,
        "vector-store-ca": around.vector_store_ca_secret,
        "traces": around.traces_headers_secret,
    }
    return {folder: secret for folder, secret in given.items() if secret is not None}


def volumes(
    folders: Mapping[str, Any], *, watch: bool
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Volumes and their mounts: every Secret in a folder of its own, a place for temporary files,
    and with `watch` a token of the Kubernetes API that the kubelet renews."""
    found: list[dict[str, Any]] = [{"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}}]
    mounts: list[dict[str, Any]] = [
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 -- a volume of the Pod's own
    ]
    for number, (folder, secret) in enumerate(folders.items()):
        volume = f"secret-{number}"
        source = {"secretName": secret, "defaultMode": 0o440}
        if folder in CA_FOLDERS:
            # the Secret of a certificate also holds a private key, which is nothing to an agent
            source["items"] = [{"key": "ca.crt", "path": "ca.crt"}]
        found.append({"name": volume, "secret": source})
        mounts.append({"name": volume, "mountPath": f"{SECRETS_FOLDER}/{folder}", "readOnly": True})
    if watch:
        token = {"path": "token", "expirationSeconds": TOKEN_SECONDS}
        authority = {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}
        sources = [{"serviceAccountToken": token}, {"configMap": authority}]
        projected = {"defaultMode": 0o440, "sources": sources}
        found.append({"name": "kubernetes", "projected": projected})
        mounts.append({"name": "kubernetes", "mountPath": API_FOLDER, "readOnly": True})
    return found, mounts


def shared_pod_fields(selector: Mapping[str, str]) -> dict[str, Any]:
    """Fields that kagent's `deployment` and a container or Pod of our own have in common;
    `selector` are the labels of the Pods that should not meet in one zone."""
    other_zone = {
        "weight": 100,
        "podAffinityTerm": {
            "topologyKey": "topology.kubernetes.io/zone",
            "labelSelector": {"matchLabels": dict(selector)},
        },
    }
    return {
        "affinity": {
            "podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [other_zone]}
        },
        "podSecurityContext": restricted_pod(),
        "securityContext": restricted_container(),
    }


def probe(path: str, port: str, *, period: int, failures: int) -> dict[str, Any]:
    """An HTTP probe; `period` in seconds."""
    return {
        "httpGet": {"path": path, "port": port},
        "periodSeconds": period,
        "failureThreshold": failures,
        "timeoutSeconds": 5,
    }
