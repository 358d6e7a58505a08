"""What runs in an agent's Pod: one description for both ways of making the Deployment."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from agents.document import AgentDocument, ToolDocument, dump_documents, resolve_tools, secret_keys
from components.base import PART_OF, ConfigModel
from components.pod_security import restricted_container, restricted_pod
from inference.catalog import Catalog

CONFIG_FOLDER = "/etc/agent"
SECRETS_FOLDER = "/var/run/agent/secrets"
HTTP_PORT = 8080
METRICS_PORT = 9090
CARD_PATH = "/.well-known/agent-card.json"
DIGEST_ANNOTATION = "agentic.dev/config-digest"
COMMAND = "python"
ARGS = ("-m", "agent_runtime", "run", f"{CONFIG_FOLDER}/agent.yaml")
CA_FOLDERS = ("session-store-ca", "vector-store-ca")
RESERVED_FOLDERS = ("gateway", "session-store", "vector-store", "traces", *CA_FOLDERS)


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

    @model_validator(mode="after")
    def _jwt_is_complete(self) -> Self:
        if self.auth == "jwt" and not (self.jwt_issuer and self.jwt_audience):
            raise ValueError("auth 'jwt' needs jwtIssuer and jwtAudience")
        return self


@dataclass(frozen=True)
class Surroundings:
    """Addresses and Secret names that an agent's Pod is given; each may be an Output."""

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


def config_data(
    agent: AgentDocument, tools: Sequence[ToolDocument], catalog: Catalog
) -> dict[str, str]:
    """Files of the agent's ConfigMap; DocumentError where it lists a tool that nobody made."""
    resolve_tools(agent, tools)
    listed = {tool.name for tool in agent.spec.tools}
    wanted = [tool for tool in tools if tool.metadata.name in listed]
    models = catalog.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {
        "agent.yaml": dump_documents([agent]),
        "tools.yaml": dump_documents(wanted),
        "catalog.json": json.dumps(models, indent=1),
    }


def digest(data: Mapping[str, str]) -> str:
    """Changes with the configuration, so that a change reaches running Pods."""
    text = json.dumps(dict(data), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def labels(name: str) -> dict[str, str]:
    """The labels under which kagent, the monitors and the policies find an agent's objects."""
    return {"app": "kagent", "kagent": name}


def pod_labels(name: str) -> dict[str, str]:
    return labels(name) | {
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/component": "agent",
        "app.kubernetes.io/part-of": PART_OF,
    }


def env(
    agent: AgentDocument, config: AgentServiceConfig, around: Surroundings, *, join: Any
) -> list[dict[str, Any]]:
    """The environment contract of the runtime's `Settings`.

    `join` concatenates strings that may be Outputs: `"".join` in a test, `Output.concat` here.
    """
    name = agent.metadata.name
    values: dict[str, Any] = {
        "AGENT_NAME": name,
        "AGENT_DOCUMENT": f"{CONFIG_FOLDER}/agent.yaml",
        "AGENT_TOOLS": f"{CONFIG_FOLDER}/tools.yaml",
        "AGENT_CATALOG": f"{CONFIG_FOLDER}/catalog.json",
        "AGENT_PORT": str(HTTP_PORT),
        "AGENT_METRICS_PORT": str(METRICS_PORT),
        "AGENT_PUBLIC_URL": join([around.gateway_url, f"/a2a/{name}"]),
        "AGENT_MODEL_BASE_URL": join([around.gateway_url, "/v1"]),
        "AGENT_MODEL_API_KEY_FILE": f"{SECRETS_FOLDER}/gateway/key",
        "AGENT_EMBEDDING_MODEL": config.embedding_model,
        "AGENT_EMBEDDING_DIMENSION": str(config.embedding_dimension),
        "AGENT_REDIS_HOST": around.session_store_host,
        "AGENT_REDIS_PORT": str(around.session_store_port) if around.session_store_port else None,
        "AGENT_REDIS_PASSWORD_FILE": f"{SECRETS_FOLDER}/session-store/password",
        "AGENT_REDIS_TLS": str(around.session_store_tls).lower(),
        "AGENT_QUEUE": around.queue,
        "AGENT_MILVUS_URL": around.vector_store_url,
        "AGENT_OTLP_ENDPOINT": around.traces_url,
        "AGENT_AUTH": config.auth,
        "AGENT_SECRETS_DIR": SECRETS_FOLDER,
        "AGENT_ALLOWED_HOSTS": ",".join(config.allowed_hosts),
    }
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
    by_pod = {"AGENT_NAMESPACE": "metadata.namespace", "AGENT_BIND_HOST": "status.podIP"}
    return [
        *({"name": key, "value": value} for key, value in values.items() if value is not None),
        *(
            {"name": key, "valueFrom": {"fieldRef": {"fieldPath": path}}}
            for key, path in by_pod.items()
        ),
    ]


def volumes(
    agent: AgentDocument, tools: Sequence[ToolDocument], around: Surroundings
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Volumes and their mounts; every Secret is a folder of its own below the secrets folder.

    ValueError for a tool's Secret whose name is that of a folder of the platform.
    """
    name = agent.metadata.name
    given: dict[str, Any] = {
        "gateway": around.gateway_key_secret,
        "session-store": around.session_store_secret,
        "session-store-ca": around.session_store_ca_secret,
        "vector-store": around.vector_store_token_secret,
        "vector-store-ca": around.vector_store_ca_secret,
        "traces": around.traces_headers_secret,
    }
    folders = {folder: secret for folder, secret in given.items() if secret is not None}
    for secret in dict.fromkeys(key.name for key in secret_keys(resolve_tools(agent, tools))):
        if secret in RESERVED_FOLDERS:
            raise ValueError(
                f"agent {name!r}: a tool's Secret can't be named {secret!r}; "
                f"reserved: {', '.join(RESERVED_FOLDERS)}"
            )
        folders[secret] = secret
    found: list[dict[str, Any]] = [
        {"name": "config", "configMap": {"name": f"{name}-config"}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}},
    ]
    mounts: list[dict[str, Any]] = [
        {"name": "config", "mountPath": CONFIG_FOLDER, "readOnly": True},
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
    return found, mounts


def shared_pod_fields(name: str) -> dict[str, Any]:
    """Fields that kagent's `deployment` and a container or Pod of our own have in common."""
    other_zone = {
        "weight": 100,
        "podAffinityTerm": {
            "topologyKey": "topology.kubernetes.io/zone",
            "labelSelector": {"matchLabels": labels(name)},
        },
    }
    return {
        "affinity": {
            "podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [other_zone]}
        },
        "podSecurityContext": restricted_pod(),
        "securityContext": restricted_container(),
    }
