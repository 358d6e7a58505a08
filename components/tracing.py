"""Where traces go: LangFuse by chart, or one OTLP receiver that can be read."""

from typing import Annotated, Any, Literal

from pulumi import ComponentResource, Input, Output, ResourceOptions
from pydantic import Field, PositiveInt

from components.base import ConfigModel
from components.child_options import child_options
from components.embedded_process import EmbeddedProcess, ProcessResources, make_embedded_process
from components.helm_chart import HelmChart
from components.kubernetes_object import kubernetes_object
from components.namespace import NamespaceConfig, namespace_manifest
from components.ordering import after
from components.resource_quota import Quantity
from components.secret_store import SecretEntry

SERVICE = "traces"
PORT = 4318


class EmbeddedTracingConfig(ConfigModel):
    """An OTLP/HTTP receiver with a small query API."""

    variant: Literal["embedded"] = "embedded"
    """Discriminator."""
    image: str = "process.local/trace-receiver:dev"
    """What the local node agent starts."""
    disk: Quantity = "1Gi"
    """Size of the volume."""
    max_traces: PositiveInt = 5000
    """The oldest traces go when there are more."""
    resources: ProcessResources = ProcessResources(cpu="25m", memory="96Mi", memory_limit="384Mi")
    """What the scheduler sets aside."""


class LangfuseTracingConfig(ConfigModel):
    """LangFuse with its own Postgres, ClickHouse and Valkey; events lie in object storage."""

    variant: Literal["langfuse"] = "langfuse"
    """Discriminator."""
    public_url: str = Field(pattern=r"^https?://[^/\s]+$")
    """Where people open LangFuse."""
    web_replicas: PositiveInt = 2
    """Copies that serve the UI and take traces."""
    worker_replicas: PositiveInt = 1
    """Copies that write traces to ClickHouse."""
    clickhouse_replicas: PositiveInt = 1
    """ClickHouse copies."""
    clickhouse_disk: Quantity = "100Gi"
    """Volume of each ClickHouse copy."""
    postgres_disk: Quantity = "20Gi"
    """Volume of Postgres."""
    storage_class: str = ""
    """Class of the volumes; empty is the cluster's default."""
    service_account: str = "langfuse"
    """The ServiceAccount whose Pod Identity may read and write the bucket."""


TracingConfig = Annotated[
    EmbeddedTracingConfig | LangfuseTracingConfig, Field(discriminator="variant")
]

CREDENTIALS = "langfuse"
"""Secret of everything that LangFuse and its stores must agree on."""
HEADERS_SECRET = "langfuse-otlp-headers"  # noqa: S105 # the name of a Secret

LANGFUSE_SECRETS: tuple[SecretEntry, ...] = (
    SecretEntry(
        name=CREDENTIALS,
        keys={
            "salt": "langfuse-salt",
            "encryption-key": "langfuse-encryption-key",
            "nextauth-secret": "langfuse-nextauth-secret",
            "public-key": "langfuse-public-key",
            "secret-key": "langfuse-secret-key",
            "postgresql-password": "langfuse-postgresql-password",
            "POSTGRES_PASSWORD": "langfuse-postgresql-password",
            "USERDB_PASSWORD": "langfuse-postgresql-password",
            "clickhouse-password": "langfuse-clickhouse-password",
            "redis-password": "langfuse-redis-password",
            "default": "langfuse-redis-password",
        },
        literals={
            "POSTGRES_USER": "postgres",
            "POSTGRES_DB": "langfuse",
            "USERDB_USER": "langfuse",
        },
        namespaces=("observability",),
    ),
    SecretEntry(
        name=HEADERS_SECRET,
        keys={"headers": "langfuse-otlp-headers"},
        namespaces=("ai-agents",),
    ),
)
"""What a stack with LangFuse adds to `secrets.entries`. The source `langfuse-otlp-headers` holds
`Authorization=Basic <base64 of public-key:secret-key>`."""


def embedded_process(config: EmbeddedTracingConfig) -> EmbeddedProcess:
    """The receiver as the node agent starts it."""
    return EmbeddedProcess(
        service=SERVICE,
        layer="observability",
        image=config.image,
        module="local.workloads.trace_receiver",
        port=PORT,
        arguments=("--data", "/data", "--max-traces", str(config.max_traces)),
        ready_path="/healthz",
        disk=config.disk,
        resources=config.resources,
    )


def langfuse_chart_values(
    config: LangfuseTracingConfig, *, bucket: Any, region: Any
) -> dict[str, Any]:
    """Values of the langfuse chart 2.0: every credential pinned to one Secret, S3 by identity.

    Chart 2 makes up what is not pinned, and a re-render would then rotate salt and keys.
    """
    return {
        "langfuse": {
            "salt": _from_secret("salt"),
            "encryptionKey": _from_secret("encryption-key"),
            "nextauth": {"url": config.public_url, "secret": _from_secret("nextauth-secret")},
            "features": {"telemetryEnabled": False, "signUpDisabled": True},
            "serviceAccount": {"create": True, "name": config.service_account},
            "web": {"replicas": config.web_replicas},
            "worker": {"replicas": config.worker_replicas},
            "additionalEnv": _first_project(),
        },
        "postgresql": _postgres_values(config),
        "redis": {
            "auth": {
                "existingSecret": CREDENTIALS,
                "existingSecretPasswordKey": "redis-password",
                "usersExistingSecret": CREDENTIALS,
            },
            "dataStorage": {"className": config.storage_class},
        },
        "clickhouse": {
            "auth": {"existingSecret": CREDENTIALS, "existingSecretKey": "clickhouse-password"},
            "cluster": {
                "replicas": config.clickhouse_replicas,
                "storage": {"size": config.clickhouse_disk, "className": config.storage_class},
            },
            "keeper": {"storage": {"className": config.storage_class}},
        },
        "s3": {
            "deploy": False,
            "storageProvider": "s3",
            "bucket": bucket,
            "region": region,
            "forcePathStyle": False,
        },
    }


def _postgres_values(config: LangfuseTracingConfig) -> dict[str, Any]:
    return {
        "auth": {
            "existingSecret": CREDENTIALS,
            "secretKeys": {
                "adminPasswordKey": "postgresql-password",
                "userPasswordKey": "postgresql-password",
            },
        },
        "settings": {"existingSecret": CREDENTIALS},
        "userDatabase": {"existingSecret": CREDENTIALS},
        "storage": {"requestedSize": config.postgres_disk, "className": config.storage_class},
    }


def _from_secret(key: str) -> dict[str, Any]:
    return {"secretKeyRef": {"name": CREDENTIALS, "key": key}}


def _first_project() -> list[dict[str, Any]]:
    """The organization, project and key pair that traces are sent with from the first start on."""
    plain = {
        "LANGFUSE_INIT_ORG_ID": "platform",
        "LANGFUSE_INIT_ORG_NAME": "platform",
        "LANGFUSE_INIT_PROJECT_ID": "agents",
        "LANGFUSE_INIT_PROJECT_NAME": "agents",
    }
    keys = {
        "LANGFUSE_INIT_PROJECT_PUBLIC_KEY": "public-key",
        "LANGFUSE_INIT_PROJECT_SECRET_KEY": "secret-key",
    }
    return [
        *({"name": name, "value": value} for name, value in plain.items()),
        *({"name": name, "valueFrom": _from_secret(key)} for name, key in keys.items()),
    ]


class Tracing(ComponentResource):
    """An address that takes OTLP over HTTP."""

    url: Output[str]
    """Full address that spans are posted to."""
    headers_secret: str | None
    """Secret with key `headers` that senders need, in the namespaces of the agents; None: none."""

    def __init__(
        self,
        name: str,
        *,
        config: EmbeddedTracingConfig | LangfuseTracingConfig,
        namespace: Input[str],
        bucket: Input[str] | None = None,
        region: Input[str] | None = None,
        opts: ResourceOptions | None = None,
    ) -> None:
        """`bucket` and `region` say where the `langfuse` variant keeps raw events."""
        super().__init__("agentic:observability:Tracing", name, None, opts)
        if isinstance(config, EmbeddedTracingConfig):
            self.headers_secret = None
            host = make_embedded_process(
                name, embedded_process(config), namespace=namespace, parent=self
            )
            self.url = Output.concat("http://", host, f":{PORT}/v1/traces")
        else:
            if bucket is None or region is None:
                raise ValueError("tracing.variant langfuse needs a bucket and its region")
            self.headers_secret = HEADERS_SECRET
            self.url = self._langfuse(name, config, namespace, bucket, region, opts)
        self.register_outputs({"url": self.url})

    def _langfuse(
        self,
        name: str,
        config: LangfuseTracingConfig,
        namespace: Input[str],
        bucket: Input[str],
        region: Input[str],
        opts: ResourceOptions | None,
    ) -> Output[str]:
        operator_home = kubernetes_object(
            f"{name}-clickhouse-operator",
            namespace_manifest("clickhouse-operator", NamespaceConfig(pod_security="baseline")),
            opts=child_options(self, opts),
        )
        operator = HelmChart(
            "clickhouse-operator",
            chart="clickhouse-operator",
            namespace="clickhouse-operator",
            values={},
            # The operator's kinds are part of its chart, and LangFuse's chart asks for them.
            skip_crds=False,
            opts=ResourceOptions(parent=self, depends_on=[operator_home]),
        )
        chart = HelmChart(
            "langfuse",
            chart="langfuse",
            namespace=namespace,
            values=langfuse_chart_values(config, bucket=bucket, region=region),
            opts=ResourceOptions(parent=self, depends_on=[operator.release]),
        )
        address = Output.concat("http://langfuse-web.", namespace, ".svc.cluster.local:3000")
        return Output.concat(after(address, [chart.release]), "/api/public/otel/v1/traces")
