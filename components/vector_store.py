"""The agents' long-term memory: Milvus by chart on object storage, or one Milvus Lite process."""

from typing import Annotated, Any, Literal

from pulumi import ComponentResource, Input, Output, ResourceOptions
from pydantic import Field, PositiveInt

from components.base import ConfigModel
from components.embedded_process import EmbeddedProcess, ProcessResources, make_embedded_process
from components.helm_chart import HelmChart
from components.ordering import after
from components.resource_quota import Quantity

SERVICE = "milvus"
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
    storage_class: str | None = None
    """Class of the volumes; the cluster's default when left out."""
    service_account: str = "milvus"
    """The ServiceAccount whose Pod Identity may read and write the bucket."""
    service_monitor: bool = True
    """Have Prometheus scrape it; needs the ServiceMonitor kind."""


VectorStoreConfig = Annotated[
    EmbeddedVectorStoreConfig | ChartVectorStoreConfig, Field(discriminator="variant")
]


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
    resources = {
        "requests": {"cpu": config.query_cpu, "memory": config.query_memory},
        "limits": {"memory": config.query_memory},
    }
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
    if not cluster:
        persistence = {"enabled": True, "persistentVolumeClaim": volume}
        return values | {"standalone": {"resources": resources, "persistence": persistence}}
    return values | {
        "proxy": {"replicas": config.proxies},
        "queryNode": {"replicas": config.query_nodes, "resources": resources},
        "dataNode": {"replicas": config.data_nodes},
        "streamingNode": {"replicas": config.streaming_nodes},
    }


class VectorStore(ComponentResource):
    """A Milvus-compatible store behind the Service `milvus`."""

    url: Output[str]
    """`http://` address for clients inside the cluster."""

    def __init__(
        self,
        name: str,
        *,
        config: EmbeddedVectorStoreConfig | ChartVectorStoreConfig,
        namespace: Input[str],
        bucket: Input[str] | None = None,
        region: Input[str] | None = None,
        opts: ResourceOptions | None = None,
    ) -> None:
        """`bucket` and `region` say where the `chart` variant keeps its data."""
        super().__init__("agentic:data:VectorStore", name, None, opts)
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
            chart = HelmChart(
                name,
                chart="milvus",
                namespace=namespace,
                values=milvus_chart_values(config, bucket=bucket, region=region),
                opts=ResourceOptions(parent=self),
            )
            host = after(
                Output.concat(SERVICE, ".", namespace, ".svc.cluster.local"), [chart.release]
            )
        self.url = Output.concat("http://", host, f":{PORT}")
        self.register_outputs({"url": self.url})
