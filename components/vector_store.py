"""The agents' long-term memory: Milvus by chart on object storage, or one Milvus Lite process."""

from typing import Annotated, Any, Literal

import yaml
from pulumi import ComponentResource, Input, Output, Resource, ResourceOptions
from pydantic import Field, PositiveInt

from components.base import ConfigModel, metadata
from components.embedded_process import EmbeddedProcess, ProcessResources, make_embedded_process
from components.helm_chart import HelmChart
from components.kubernetes_object import kubernetes_object
from components.ordering import after
from components.resource_quota import Quantity
from components.vector_store_backup import VectorStoreBackupConfig, add_backup

SERVICE = "milvus"
TLS_DIRECTORY = "/etc/milvus/certs"
CLIENT_SECRET = f"{SERVICE}-client-tls"
TOKEN_SECRET = f"{SERVICE}-token"
CLIENT_NAMESPACE = "ai-agents"
PORT = 19530


class EmbeddedVectorStoreConfig(ConfigModel):
    """One Milvus Lite process: same API, no authentication, one writer at a time."""

    variant: Literal["embedded"] = "embedded"
    """Discriminator."""
    image: str = "process.local/milvus-lite:3.2"
    """What the local node agent starts."""
    disk: Quantity = "2Gi"
    """Size of the volume."""
    resources: ProcessResources = ProcessResources(cpu="100m", memory="256Mi", memory_limit="1Gi")
    """What the scheduler sets aside."""
    protect: bool = False
    """Refuse to delete the volume."""


class ComponentResources(ConfigModel):
    """What one Pod of a role asks for; its memory is also its limit."""

    cpu: Quantity
    """CPU request."""
    memory: Quantity
    """Memory request and limit."""

    def manifest(self) -> dict[str, Any]:
        """`resources` of a container."""
        requests = {"cpu": self.cpu, "memory": self.memory}
        return {"requests": requests, "limits": {"memory": self.memory}}


class ChartVectorStoreConfig(ConfigModel):
    """Milvus in the cluster; segments and write-ahead log lie in object storage."""

    variant: Literal["chart"] = "chart"
    """Discriminator."""
    mode: Literal["standalone", "cluster"] = "cluster"
    """One Pod for everything, or a Deployment for each role."""
    query_nodes: PositiveInt = 2
    """Copies that answer searches (cluster mode)."""
    data_nodes: PositiveInt = 1
    """Copies that build indexes and compact (cluster mode)."""
    streaming_nodes: PositiveInt = 1
    """Copies that take writes (cluster mode)."""
    proxies: PositiveInt = 2
    """Copies that speak to clients (cluster mode)."""
    query_cpu: Quantity = "1"
    """CPU request of a query node, or of the one Pod in standalone mode."""
    query_memory: Quantity = "4Gi"
    """Memory request and limit of a query node, or of the one Pod in standalone mode."""
    etcd_replicas: Literal[1, 3, 5] = 3
    """Members of the metadata store."""
    proxy_resources: ComponentResources = ComponentResources(cpu="500m", memory="1Gi")
    """Of each proxy (cluster mode)."""
    data_resources: ComponentResources = ComponentResources(cpu="500m", memory="2Gi")
    """Of each data node (cluster mode)."""
    streaming_resources: ComponentResources = ComponentResources(cpu="500m", memory="2Gi")
    """Of each streaming node (cluster mode)."""
    coordinator_resources: ComponentResources = ComponentResources(cpu="500m", memory="1Gi")
    """Of the one coordinator (cluster mode)."""
    authentication: bool = False
    """Ask for a password; the bootstrap Job (`collections.authSecret`) sets root's and makes the
    other users, agents get theirs from the Secret `milvus-token`."""
    tls_issuer: str | None = None
    """ClusterIssuer that signs the server's certificate; without one the store speaks plain
    gRPC."""
    backup: VectorStoreBackupConfig | None = None
    """Copies of every collection in the same bucket, by schedule."""
    storage_class: str | None = None
    """Class of the volumes; the cluster's default when left out."""
    service_account: str = "milvus"
    """The ServiceAccount whose Pod Identity may read and write the bucket."""
    service_monitor: bool = True
    """Have Prometheus scrape it; needs the ServiceMonitor kind."""


VectorStoreConfig = Annotated[
    EmbeddedVectorStoreConfig | ChartVectorStoreConfig, Field(discriminator="variant")
]


def certificate_manifests(
    issuer: str, *, namespace: Any, client_namespace: Any = CLIENT_NAMESPACE
) -> list[dict[str, Any]]:
    """Certificates of the server and of its clients, which need no more of theirs than `ca.crt`."""
    names = [SERVICE, f"{SERVICE}.ai-data", f"{SERVICE}.ai-data.svc"]
    names.append(f"{SERVICE}.ai-data.svc.cluster.local")
    return [
        _certificate(f"{SERVICE}-tls", issuer, namespace, [*names, "localhost"]),
        _certificate(CLIENT_SECRET, issuer, client_namespace, ["milvus-client.ai-agents"]),
    ]


def _certificate(name: str, issuer: str, namespace: Any, dns_names: list[str]) -> dict[str, Any]:
    return {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": metadata(name, component="data", namespace=namespace),
        "spec": {
            "secretName": name,
            "issuerRef": {"group": "cert-manager.io", "kind": "ClusterIssuer", "name": issuer},
            "dnsNames": dns_names,
            "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
        },
    }


def embedded_process(config: EmbeddedVectorStoreConfig) -> EmbeddedProcess:
    """Milvus Lite as the node agent starts it."""
    return EmbeddedProcess(
        service=SERVICE,
        layer="data",
        image=config.image,
        module="local.workloads.vector_store",
        port=PORT,
        arguments=("--data-dir", "/data"),
        disk=config.disk,
        resources=config.resources,
    )


def milvus_chart_values(
    config: ChartVectorStoreConfig, *, bucket: Any, region: Any
) -> dict[str, Any]:
    """Values of the milvus chart 5.0: Woodpecker as the log, S3 by IAM, no bundled brokers."""
    cluster = config.mode == "cluster"
    resources = ComponentResources(cpu=config.query_cpu, memory=config.query_memory).manifest()
    volume = {} if config.storage_class is None else {"storageClass": config.storage_class}
    values: dict[str, Any] = {
        "fullnameOverride": SERVICE,
        "cluster": {"enabled": cluster},
        "streaming": {
            "enabled": True,
            "woodpecker": {"embedded": True, "storage": {"type": "minio"}},
        },
        # Cluster mode turns Pulsar on unless told otherwise; Woodpecker writes to the bucket.
        "pulsarv3": {"enabled": False},
        "kafka": {"enabled": False},
        "minio": {"enabled": False},
        "externalS3": {
            "enabled": True,
            "host": Output.concat("s3.", region, ".amazonaws.com"),
            "port": "443",
            "useSSL": True,
            "bucketName": bucket,
            "rootPath": SERVICE,
            "useIAM": True,
            "cloudProvider": "aws",
            "region": region,
        },
        "etcd": {"replicaCount": config.etcd_replicas, "persistence": {"enabled": True} | volume},
        "serviceAccount": {"create": True, "name": config.service_account},
        "metrics": {"enabled": True, "serviceMonitor": {"enabled": config.service_monitor}},
    }
    values |= _security_values(config)
    if not cluster:
        persistence = {"enabled": True, "persistentVolumeClaim": volume}
        return values | {"standalone": {"resources": resources, "persistence": persistence}}
    return values | {
        "proxy": {"replicas": config.proxies, "resources": config.proxy_resources.manifest()},
        "queryNode": {"replicas": config.query_nodes, "resources": resources},
        "dataNode": {"replicas": config.data_nodes, "resources": config.data_resources.manifest()},
        "streamingNode": {
            "replicas": config.streaming_nodes,
            "resources": config.streaming_resources.manifest(),
        },
        "mixCoordinator": {"resources": config.coordinator_resources.manifest()},
    }


def _security_values(config: ChartVectorStoreConfig) -> dict[str, Any]:
    """Milvus' own configuration file, and the certificate in every Pod."""
    security: dict[str, Any] = {}
    if config.authentication:
        security["authorizationEnabled"] = True
    settings: dict[str, Any] = {"common": {"security": security}}
    values: dict[str, Any] = {}
    if config.tls_issuer is not None:
        # one-way: clients check the server; they prove themselves by password
        security["tlsMode"] = 1
        settings["tls"] = {
            "serverPemPath": f"{TLS_DIRECTORY}/tls.crt",
            "serverKeyPath": f"{TLS_DIRECTORY}/tls.key",
        }
        values["volumes"] = [{"name": "certificate", "secret": {"secretName": f"{SERVICE}-tls"}}]
        mount = {"name": "certificate", "mountPath": TLS_DIRECTORY, "readOnly": True}
        values["volumeMounts"] = [mount]
    if not security:
        return {}
    return values | {"extraConfigFiles": {"user.yaml": yaml.safe_dump(settings)}}


class VectorStore(ComponentResource):
    """A Milvus-compatible store behind the Service `milvus`."""

    url: Output[str]
    """Address for clients inside the cluster; `https://` where the store speaks TLS."""
    ca_secret: str | None
    """Secret with the key `ca.crt` that clients in ai-agents need; None: plain, or no own CA."""
    token_secret: str | None
    """Secret with the key `token` (`user:password`) that agents need; None: no password."""

    def __init__(
        self,
        name: str,
        *,
        config: EmbeddedVectorStoreConfig | ChartVectorStoreConfig,
        namespace: Input[str],
        client_namespace: Input[str] = CLIENT_NAMESPACE,
        bucket: Input[str] | None = None,
        region: Input[str] | None = None,
        opts: ResourceOptions | None = None,
    ) -> None:
        """`bucket`, `region`: where `chart` keeps its data; `client_namespace`: ai-agents' wire."""
        super().__init__("agentic:data:VectorStore", name, None, opts)
        self.ca_secret = self.token_secret = None
        scheme = "http"
        if isinstance(config, EmbeddedVectorStoreConfig):
            host = make_embedded_process(
                name,
                embedded_process(config),
                namespace=namespace,
                parent=self,
                protect=config.protect,
            )
        else:
            if bucket is None or region is None:
                raise ValueError("vectorStore.variant chart needs a bucket and its region")
            secured = self._secured(name, config, namespace, client_namespace)
            scheme = "https" if config.tls_issuer else "http"
            chart = HelmChart(
                name,
                chart="milvus",
                namespace=namespace,
                values=milvus_chart_values(config, bucket=bucket, region=region),
                opts=ResourceOptions(parent=self, depends_on=secured),
            )
            if config.backup is not None:
                add_backup(
                    name,
                    config.backup,
                    namespace=namespace,
                    bucket=bucket,
                    region=region,
                    tls=config.tls_issuer is not None,
                    authentication=config.authentication,
                    opts=ResourceOptions(parent=self, depends_on=[chart.release]),
                )
            host = after(
                Output.concat(SERVICE, ".", namespace, ".svc.cluster.local"), [chart.release]
            )
        self.url = Output.concat(f"{scheme}://", host, f":{PORT}")
        self.register_outputs({"url": self.url})

    def _secured(
        self,
        name: str,
        config: ChartVectorStoreConfig,
        namespace: Input[str],
        client_namespace: Input[str],
    ) -> list[Resource]:
        """The server's certificate, and one in ai-agents whose Secret brings clients its CA."""
        if config.authentication:
            self.token_secret = TOKEN_SECRET
        if config.tls_issuer is None:
            return []
        self.ca_secret = CLIENT_SECRET
        return [
            kubernetes_object(
                f"{name}-{manifest['metadata']['name']}",
                manifest,
                opts=ResourceOptions(parent=self),
            )
            for manifest in certificate_manifests(
                config.tls_issuer, namespace=namespace, client_namespace=client_namespace
            )
        ]
