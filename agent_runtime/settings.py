"""The environment contract of an agent container, read once at start."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from agent_runtime.telemetry.redaction import redacted

TraceContent = Literal["off", "redacted", "full"]


class SettingsError(ValueError):
    """All unusable environment variables at once, one line each."""


class Settings(BaseSettings):
    """Variables `AGENT_<FIELD>`; an empty one counts as unset."""

    model_config = SettingsConfigDict(
        env_prefix="AGENT_",
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        protected_namespaces=(),
    )

    name: Annotated[str, Field(pattern=r"^[a-z0-9][-a-z0-9]{0,62}$")] | None = None
    """Label of the agent in metrics and traces. Default: the document's name."""
    namespace: str | None = None
    document: Path = Path("/etc/agent/agent.yaml")
    tools: Path = Path("/etc/agent/tools.yaml")
    """Registered Tools that the agent lists by name; may be missing."""
    catalog: Path = Path("/etc/agent/catalog.json")
    """Models and their prices; may be missing, cost is then not counted."""
    bind_host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = 9090
    version: str = "0"
    """Of the image; shown on the agent card."""
    public_url: str | None = None
    """The agent's address as its callers see it, for the agent card."""

    model_base_url: Annotated[str, Field(pattern=r"^https?://\S+$")] = (
        "http://ai-gateway.ai-gateway.svc.cluster.local/v1"
    )
    model_api_key_file: Path | None = None
    model_first_token_seconds: Annotated[float, Field(gt=0, le=600)] = 20
    model_idle_seconds: Annotated[float, Field(gt=0, le=600)] = 30
    model_total_seconds: Annotated[float, Field(gt=0, le=3600)] = 120
    embedding_model: str = "all-minilm-l6-v2"
    embedding_dimension: Annotated[int, Field(ge=1, le=32768)] = 1536
    """Dimension of the collections; shorter vectors are padded with zeros."""

    redis_host: str | None = None
    """Default: the document's memory.config.host."""
    redis_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    redis_password_file: Path | None = None
    redis_tls: bool = False
    redis_ca_file: Path | None = None
    """Certificate authority of a store with TLS. Default: those of the system."""
    milvus_url: Annotated[str, Field(pattern=r"^https?://\S+$")] = (
        "http://milvus.ai-data.svc.cluster.local:19530"
    )
    milvus_token_file: Path | None = None
    """`user:password` where the server asks for one."""
    milvus_database: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,254}$")] = "default"
    """Database of the collections; a tenant under compliance rules has one of its own."""
    milvus_ca_file: Path | None = None
    """Certificate authority of a server with TLS (https://). Default: those of the system."""

    otlp_endpoint: Annotated[str, Field(pattern=r"^https?://\S+$")] | None = None
    """Default: spans are made but not sent."""
    otlp_headers_file: Path | None = None
    """Lines `name: value`."""
    trace_content: TraceContent = "off"
    """Whether spans carry prompts and answers; redacted: without what may name a person.
    Credentials are never in them."""
    trace_content_tenants: Annotated[dict[str, TraceContent], NoDecode] = Field(default={})
    """Tenants with another rule: `acme=full,rival=off`."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    auth: Literal["gateway", "jwt", "none"] = "gateway"
    """gateway: trust the tenant header that it sets; jwt: verify here; none: development only."""
    jwks_file: Path | None = None
    jwks_url: Annotated[str, Field(pattern=r"^https?://\S+$")] | None = None
    """Keys that are fetched and cached; wins over the file."""
    jwt_issuer: str | None = None
    jwt_audience: str | None = None
    jwt_tenant_claim: str = "tenant"
    jwt_user_claim: str = "sub"
    jwt_roles_claim: str = "roles"
    controller_identity: Annotated[str, Field(pattern=r"^spiffe://\S+$")] | None = None
    """kagent's controller in the mesh; it may name the user. Only for Pods with a mesh proxy."""
    controller_tenant: str | None = None
    """The tenant whose requests come through kagent's controller."""

    secrets_dir: Path = Path("/var/run/agent/secrets")
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Hosts in the cluster that tools may call, separated by commas; `host:port` for one port."""
    tool_watch: Literal["off", "files", "cluster"] = "files"
    """Where changes of registered Tools come from while the process runs: nowhere, the file of
    AGENT_TOOLS, or the Tool objects of the namespace, for which the Pod needs a token."""
    mcp_sessions: bool = False
    """`tools-mcp` only: keep sessions, so that clients of MCP before 2026 can be asked questions
    too. They must then come back to the same process: one replica, or affinity."""
    tool_status: bool = False
    """With `cluster`: write the condition Accepted into each Tool; for the one that may."""
    kubernetes_url: Annotated[str, Field(pattern=r"^https?://\S+$")] = (
        "https://kubernetes.default.svc"
    )
    kubernetes_token_file: Path | None = None
    """Default: the token of the Pod's service account."""
    kubernetes_ca_file: Path | None = None
    """Default: the certificate beside that token."""

    max_body_bytes: Annotated[int, Field(ge=1024)] = 1_048_576
    max_streams: Annotated[int, Field(ge=1)] = 200
    """Answers that this process has open to clients at once; more are told to come back. A run goes
    on without its client, so this bounds connections, not work."""
    max_runs: Annotated[int, Field(ge=1, le=10_000)] = 10
    """Runs that this process works on at once; more wait in the queue for any replica."""
    role: Literal["all", "api", "worker"] = "all"
    """api: takes requests, works on none; worker: works, and answers only health and metrics."""
    store_replicas: Annotated[int, Field(ge=0, le=5)] = 0
    """Replicas of the store that must have what a call is about to do before it is made, where the
    call can't be repeated. A failover then asks a person, and never makes it twice."""
    queue: Annotated[str, Field(pattern=r"^[A-Za-z0-9:_-]{1,128}$")] = "agent-task-queue"
    """The Redis LIST of waiting runs. Agents that share a store need a queue each."""
    max_queue: Annotated[int, Field(ge=1)] = 10_000
    """Waiting runs beyond which new ones are refused with 429."""
    outbox: bool = False
    """Whether runs that wait or end are also listed for a mirror of them elsewhere."""
    on_busy: Literal["enqueue", "reject", "interrupt", "rollback"] = "enqueue"
    """What becomes of a request whose session has an unfinished run, unless the request says."""
    lease_seconds: Annotated[float, Field(ge=1, le=300)] = 15
    """A worker that is silent for so long is taken for dead, and its runs for lost."""
    max_attempts: Annotated[int, Field(ge=1, le=20)] = 3
    """Workers that may be lost with a run before it fails."""
    run_seconds: Annotated[int, Field(ge=10, le=31_536_000)] = 3600
    """How long a run that ended can still be read."""
    context_tokens: Annotated[int, Field(ge=256)] | None = None
    """What the model can read at once; near it a conversation is summed up. Default: only once the
    model refuses a conversation as too long."""
    development: bool = False
    """Allows settings that no Pod in production may have."""
    fault: Annotated[str, Field(pattern=r"^[a-z]+\.[a-z]+(:[0-9]+)?$")] | None = None
    """Development only: kill this process at that point, to prove that nothing is lost there."""
    drain_seconds: Annotated[float, Field(ge=0, le=3600)] = 28
    """Time that running requests get after SIGTERM."""

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(host.strip().lower() for host in value.split(",") if host.strip())
        return value

    @field_validator("trace_content_tenants", mode="before")
    @classmethod
    def _pairs(cls, value: object) -> object:
        if isinstance(value, str):
            pairs = (each.partition("=") for each in value.split(",") if each.strip())
            return {name.strip(): rule.strip() for name, _, rule in pairs}
        return value

    def problems(self) -> list[str]:
        """Settings that contradict each other, one line each."""
        found = []
        if self.auth == "jwt":
            found = [
                f"AGENT_{name.upper()} is missing: AGENT_AUTH=jwt needs it"
                for name in ("jwks_file", "jwt_issuer", "jwt_audience")
                if getattr(self, name) is None and not (name == "jwks_file" and self.jwks_url)
            ]
        if self.fault and not self.development:
            found.append(
                "AGENT_FAULT kills this process on purpose: unset it, or set AGENT_DEVELOPMENT"
            )
        if bool(self.controller_identity) != bool(self.controller_tenant):
            found.append(
                "AGENT_CONTROLLER_IDENTITY and AGENT_CONTROLLER_TENANT belong together: set both"
            )
        return found


def load_settings() -> Settings:
    """The settings of this process; SettingsError names every bad variable."""
    try:
        settings = Settings()
    except ValidationError as error:
        lines = [
            f"AGENT_{str(each['loc'][0]).upper()}={redacted(repr(each['input']))}: {each['msg']}"
            for each in error.errors()
        ]
        raise SettingsError("\n".join(lines)) from None
    if problems := settings.problems():
        raise SettingsError("\n".join(problems))
    return settings
