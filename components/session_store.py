"""The agents' short-term memory and task queue: Valkey by chart, ElastiCache, or one process."""

from typing import Annotated, Any, Literal

from pulumi import (
    ComponentResource,
    Input,
    Output,
    ProviderResource,
    Resource,
    ResourceOptions,
)
from pydantic import Field, PositiveInt

from components.base import ConfigModel, metadata
from components.elasticache import ElastiCache, ElastiCacheSessionStoreConfig
from components.embedded_process import EmbeddedProcess, ProcessResources, make_embedded_process
from components.helm_chart import HelmChart
from components.kubernetes_object import kubernetes_object
from components.ordering import after
from components.resource_quota import Quantity

SERVICE = "redis-master"
CLIENT_SECRET = f"{SERVICE}-client-tls"
CLIENT_NAMESPACE = "ai-agents"
PORT = 6379
PASSWORD_KEY = "password"  # noqa: S105 # the name of a Secret's key
PASSWORD_DIRECTORY = "/var/run/session-store"  # noqa: S105 # a mount path


AppendFsync = Literal["everysec", "always"]
"""Valkey's words for when a write is on the disk: within a second, or before it is answered.

ElastiCache has no such file: there a write outlives a machine by its copies alone.
"""


class EmbeddedSessionStoreConfig(ConfigModel):
    """One Valkey process with an append-only file."""

    variant: Literal["embedded"] = "embedded"
    """Discriminator."""
    image: str = "process.local/valkey:9.1"
    """What the local node agent starts."""
    disk: Quantity = "1Gi"
    """Size of the volume."""
    append_fsync: AppendFsync = "everysec"
    """everysec: a machine that dies loses what was written in the last second, a process that is
    killed loses nothing · always: neither does; a write then takes as long as its disk."""
    resources: ProcessResources = ProcessResources(cpu="50m", memory="64Mi", memory_limit="256Mi")
    """What the scheduler sets aside."""
    protect: bool = False
    """Refuse to delete the volume."""


class ChartSessionStoreConfig(ConfigModel):
    """Valkey in the cluster, with replicas on disks of their own."""

    variant: Literal["chart"] = "chart"
    """Discriminator."""
    replicas: PositiveInt = 2
    """Copies beside the one that takes writes."""
    disk: Quantity = "20Gi"
    """Size of each copy's volume."""
    storage_class: str = ""
    """Class of the volumes; empty is the cluster's default."""
    append_fsync: AppendFsync = "everysec"
    """everysec: what the copies had not got either is lost with all machines at once, up to a
    second of it · always: nothing is; a write then takes as long as its disk."""
    cpu: Quantity = "250m"
    """CPU request of each copy."""
    memory: Quantity = "1Gi"
    """Memory request and limit of each copy; `max_memory` must stay below it."""
    max_memory: str = Field(default="768mb", pattern=r"^\d+(kb|mb|gb)$")
    """From here on writes are refused, never data dropped."""
    service_monitor: bool = True
    """Have Prometheus scrape the store; needs the ServiceMonitor kind."""
    tls_issuer: str | None = None
    """ClusterIssuer that signs the server's certificate; without one the store speaks plain TCP."""


SessionStoreConfig = Annotated[
    EmbeddedSessionStoreConfig | ChartSessionStoreConfig | ElastiCacheSessionStoreConfig,
    Field(discriminator="variant"),
]


def embedded_process(config: EmbeddedSessionStoreConfig) -> EmbeddedProcess:
    """Valkey as the node agent starts it; the password is a file, never an argument."""
    return EmbeddedProcess(
        service=SERVICE,
        layer="data",
        image=config.image,
        module="local.workloads.session_store",
        port=PORT,
        arguments=(
            "--password-file",
            f"{PASSWORD_DIRECTORY}/{PASSWORD_KEY}",
            "--data",
            "/data",
            "--append-fsync",
            config.append_fsync,
        ),
        disk=config.disk,
        resources=config.resources,
    )


def valkey_chart_values(config: ChartSessionStoreConfig, *, password_secret: Any) -> dict[str, Any]:
    """Values of the valkey chart 0.11: ACL user `default`, append-only file, no eviction."""
    valkey = [
        "appendonly yes",
        f"appendfsync {config.append_fsync}",
        f"maxmemory {config.max_memory}",
        "maxmemory-policy noeviction",
    ]
    values: dict[str, Any] = {
        "fullnameOverride": SERVICE,
        "auth": {
            "enabled": True,
            "usersExistingSecret": password_secret,
            "aclUsers": {"default": {"permissions": "~* &* +@all", "passwordKey": PASSWORD_KEY}},
        },
        "replica": {
            "enabled": True,
            "replicas": config.replicas,
            # A write is answered only while a copy follows, so that a lost node loses no session.
            "minReplicasToWrite": 1,
            "persistence": {"size": config.disk, "storageClass": config.storage_class},
        },
        "valkeyConfig": "\n".join(valkey) + "\n",
        "resources": {
            "requests": {"cpu": config.cpu, "memory": config.memory},
            "limits": {"memory": config.memory},
        },
        "priorityClassName": "agentic-data",
        "podDisruptionBudget": {"enabled": True, "maxUnavailable": 1},
        "metrics": {"enabled": True, "serviceMonitor": {"enabled": config.service_monitor}},
        "readinessProbe": {"enabled": True},
    }
    if config.tls_issuer is not None:
        values["tls"] = {
            "enabled": True,
            "existingSecret": f"{SERVICE}-tls",
            "serverPublicKey": "tls.crt",
            "serverKey": "tls.key",
            "caPublicKey": "ca.crt",
        }
        # The exporter reaches the server over loopback, a name that no certificate carries.
        values["metrics"]["exporter"] = {
            "extraEnvs": {
                "REDIS_ADDR": f"rediss://localhost:{PORT}",
                "REDIS_EXPORTER_SKIP_TLS_VERIFICATION": "true",
            }
        }
    return values


def certificate_manifest(issuer: str, *, namespace: Any) -> dict[str, Any]:
    """The server's certificate, for the names by which clients and replicas reach it."""
    return {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": metadata(f"{SERVICE}-tls", component="data", namespace=namespace),
        "spec": {
            "secretName": f"{SERVICE}-tls",
            "issuerRef": {"group": "cert-manager.io", "kind": "ClusterIssuer", "name": issuer},
            "dnsNames": [
                SERVICE,
                f"{SERVICE}.ai-data",
                f"{SERVICE}.ai-data.svc",
                f"{SERVICE}.ai-data.svc.cluster.local",
                f"*.{SERVICE}-headless.ai-data.svc.cluster.local",
            ],
            "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
        },
    }


def client_certificate_manifest(
    issuer: str, *, namespace: Any = CLIENT_NAMESPACE
) -> dict[str, Any]:
    """A certificate in ai-agents whose Secret brings clients the `ca.crt` that they check with."""
    return {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": metadata(CLIENT_SECRET, component="data", namespace=namespace),
        "spec": {
            "secretName": CLIENT_SECRET,
            "issuerRef": {"group": "cert-manager.io", "kind": "ClusterIssuer", "name": issuer},
            "dnsNames": ["session-store-client.ai-agents"],
            "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
        },
    }


class SessionStore(ComponentResource):
    """A Valkey-compatible store that never evicts; clients authenticate with one password."""

    host: Output[str]
    """Host name by which Pods reach it."""
    port: int
    tls: bool
    """Whether clients must speak TLS."""
    replicas: int
    """Copies that may be asked to confirm a write."""
    ca_secret: str | None
    """Secret with the key `ca.crt` that clients in ai-agents need; None: plain, or a public CA."""

    def __init__(
        self,
        name: str,
        *,
        config: EmbeddedSessionStoreConfig
        | ChartSessionStoreConfig
        | ElastiCacheSessionStoreConfig,
        namespace: Input[str],
        password_secret: Input[str],
        client_namespace: Input[str] = CLIENT_NAMESPACE,
        subnet_ids: Input[list[str]] | None = None,
        security_group_ids: list[Input[str]] | None = None,
        aws_provider: ProviderResource | None = None,
        opts: ResourceOptions | None = None,
    ) -> None:
        """`password_secret` names a Secret with key `password` in `namespace`.

        `subnet_ids`, `security_group_ids` and `aws_provider` are read by `elasticache` only.
        """
        super().__init__("agentic:data:SessionStore", name, None, opts)
        self.port = PORT
        self.tls = False
        self.replicas = 0 if isinstance(config, EmbeddedSessionStoreConfig) else config.replicas
        self.ca_secret = None
        if isinstance(config, EmbeddedSessionStoreConfig):
            self.host = self._embedded(name, config, namespace, password_secret)
        elif isinstance(config, ChartSessionStoreConfig):
            self.tls = config.tls_issuer is not None
            self.ca_secret = CLIENT_SECRET if self.tls else None
            self.host = self._chart(name, config, namespace, password_secret, client_namespace)
        else:
            self.tls = True
            cache = ElastiCache(
                name,
                config=config,
                subnet_ids=subnet_ids or [],
                security_group_ids=security_group_ids or [],
                opts=ResourceOptions(parent=self, provider=aws_provider),
            )
            self.host = cache.host
        self.register_outputs({"host": self.host})

    def _embedded(
        self,
        name: str,
        config: EmbeddedSessionStoreConfig,
        namespace: Input[str],
        password_secret: Input[str],
    ) -> Output[str]:
        volume = {"name": "password", "secret": {"secretName": password_secret}}
        mount = {"name": "password", "mountPath": PASSWORD_DIRECTORY, "readOnly": True}
        return make_embedded_process(
            name,
            embedded_process(config),
            namespace=namespace,
            parent=self,
            protect=config.protect,
            volumes=[volume],
            mounts=[mount],
        )

    def _chart(
        self,
        name: str,
        config: ChartSessionStoreConfig,
        namespace: Input[str],
        password_secret: Input[str],
        client_namespace: Input[str],
    ) -> Output[str]:
        needs: list[Resource] = []
        own = ResourceOptions(parent=self)
        if config.tls_issuer is not None:
            certificate = certificate_manifest(config.tls_issuer, namespace=namespace)
            needs.append(kubernetes_object(name, certificate, opts=own))
            client = client_certificate_manifest(config.tls_issuer, namespace=client_namespace)
            kubernetes_object(f"{name}-client", client, opts=own)
        chart = HelmChart(
            name,
            chart="valkey",
            namespace=namespace,
            values=valkey_chart_values(config, password_secret=password_secret),
            opts=ResourceOptions(parent=self, depends_on=needs),
        )
        host = Output.concat(SERVICE, ".", namespace, ".svc.cluster.local")
        return after(host, [chart.release])
