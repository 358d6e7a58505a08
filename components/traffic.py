"""Who may talk to whom: one table of peers, one of flows. Everything else is denied."""

from dataclasses import dataclass
from typing import Any, Literal

from components.base import ConfigModel

TENANT_LABEL = "agentic.dev/tenant"
PRIVATE_RANGES = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
POD_IDENTITY_AGENT = "169.254.170.23/32"

GATEWAY_PORTS = (8080, 8443)
GATEWAY_HELPER_PORTS = (8081, 8082, 9004)
"""The rate limit service by gRPC and HTTP, and kgateway's body-based router."""
MODEL_PORTS = (8000, 8080)
PICKER_PORT = 9002
AGENT_PORT = 8080
AGENT_CONTROLLER_PORT = 8083
SESSION_STORE_PORT = 6379
POSTGRES_PORT = 5432
VECTOR_STORE_PORT = 19530
TRACE_PORTS = (4318, 3000)
"""The OTLP receiver, and LangFuse's web service, which takes OTLP too."""
PROMETHEUS_PORT = 9090

Aspect = Literal["main", "scrape", "operators", "tenants", "cloud", "mesh", "pickers"]

PLATFORM = {
    "ai-gateway": "gateway-network-policy",
    "ai-agents": "agents-network-policy",
    "ai-inference": "inference-network-policy",
    "ai-data": "data-network-policy",
    "observability": "observability-network-policy",
}
"""The namespaces that deny by default, and the policy that holds their main flows."""

OTHER_NAMESPACES = (
    "agentgateway-system",
    "kgateway-system",
    "keda",
    "istio-system",
    "clickhouse-operator",
)


class TrafficConfig(ConfigModel):
    """What a stack decides about traffic."""

    client_cidrs: tuple[str, ...] = ("0.0.0.0/0",)
    """Who may call the gateway."""
    cloud_cidr: str | None = None
    """Address range of the VPC, where the API server, interface endpoints and ElastiCache are;
    flows to it, to Pod Identity and to S3 exist only when it is given."""
    mesh: bool = False
    """Whether Pods need the mesh's control plane."""
    endpoint_pickers: bool = False
    """Whether models have endpoint pickers, which read the queues of model servers beside them."""


@dataclass(frozen=True)
class Flow:
    """`source` opens connections to `target`; no ports means all of them."""

    source: str
    target: str
    ports: tuple[int, ...]
    because: str
    aspect: Aspect = "main"


FLOWS: tuple[Flow, ...] = (
    Flow("clients", "ai-gateway", GATEWAY_PORTS, "applications call the gateway"),
    Flow("ai-gateway", "ai-inference", MODEL_PORTS, "model requests"),
    Flow("ai-gateway", "ai-inference", (PICKER_PORT,), "which Pod to ask", "pickers"),
    Flow("ai-gateway", "ai-agents", (AGENT_PORT,), "agent requests"),
    Flow("ai-gateway", "internet", (443,), "hosted models, the issuer's keys"),
    Flow("ai-gateway", "observability", TRACE_PORTS, "the gateway's spans"),
    Flow("ai-gateway", "kgateway-system", (9977,), "proxies fetch their configuration"),
    Flow("ai-gateway", "agentgateway-system", (9978,), "proxies fetch their configuration"),
    Flow("ai-gateway", "ai-gateway", GATEWAY_HELPER_PORTS, "counting, and finding the model"),
    Flow("ai-gateway", "ai-data", (SESSION_STORE_PORT,), "counts of requests and tokens"),
    Flow("ai-agents", "ai-gateway", GATEWAY_PORTS, "agents ask models through the gateway"),
    Flow("ai-agents", "ai-inference", MODEL_PORTS, "agents that name a model server directly"),
    Flow("ai-agents", "ai-agents", (AGENT_PORT,), "agents call agents and in-cluster tools"),
    Flow("ai-agents", "ai-data", (SESSION_STORE_PORT, VECTOR_STORE_PORT), "memory"),
    Flow("ai-agents", "observability", TRACE_PORTS, "the agents' spans"),
    Flow("ai-agents", "ai-agents", (AGENT_CONTROLLER_PORT,), "agents report to their controller"),
    Flow("ai-agents", "internet", (443,), "tools of the outside world"),
    Flow("ai-inference", "internet", (443,), "model weights"),
    Flow("ai-inference", "ai-inference", MODEL_PORTS, "queues of model servers", "pickers"),
    Flow("ai-inference", "observability", (PROMETHEUS_PORT,), "metrics"),
    Flow("ai-data", "ai-data", (), "members of a store talk to each other"),
    Flow("observability", "observability", (), "its parts talk to each other"),
    Flow("observability", "internet", (443,), "alerts and sign-on"),
    Flow("observability", "cluster", (), "monitors lead anywhere; targets decide", "scrape"),
    Flow(
        "observability", "ai-gateway", (9091, 9102, 9901, 15020), "metrics of the proxies", "scrape"
    ),
    Flow("observability", "ai-agents", (9090,), "metrics of the agents", "scrape"),
    Flow("observability", "ai-inference", (8000, 8080, 9400), "metrics of models", "scrape"),
    Flow("observability", "ai-data", (9091, 9121), "metrics of the stores", "scrape"),
    Flow("keda", "ai-data", (SESSION_STORE_PORT,), "queue length of a scaler", "operators"),
    Flow("keda", "observability", (PROMETHEUS_PORT,), "metrics of a scaler", "operators"),
    Flow("clickhouse-operator", "observability", (), "the operator runs ClickHouse", "operators"),
    Flow("tenants", "ai-gateway", GATEWAY_PORTS, "tenants ask models here only", "tenants"),
    Flow("ai-gateway", "tenants", (AGENT_PORT,), "requests to a tenant's agents", "tenants"),
    Flow("tenants", "ai-data", (SESSION_STORE_PORT, VECTOR_STORE_PORT), "memory", "tenants"),
    Flow("tenants", "observability", TRACE_PORTS, "spans of a tenant's agents", "tenants"),
    Flow("observability", "tenants", (9090,), "metrics of a tenant's agents", "tenants"),
    Flow("ai-gateway", "cloud", (443, SESSION_STORE_PORT), "endpoints, ElastiCache", "cloud"),
    Flow("ai-agents", "cloud", (443, SESSION_STORE_PORT), "endpoints, ElastiCache", "cloud"),
    Flow("ai-agents", "cloud", (POSTGRES_PORT,), "the agent controller's database", "cloud"),
    Flow("ai-data", "cloud", (443,), "API server and endpoints", "cloud"),
    Flow("ai-data", "internet", (443,), "object storage", "cloud"),
    Flow("ai-data", "identity", (80,), "AWS credentials", "cloud"),
    Flow("ai-gateway", "identity", (80,), "AWS credentials", "cloud"),
    Flow("ai-inference", "cloud", (443,), "the picker's API server", "pickers"),
    Flow("ai-inference", "identity", (80,), "AWS credentials", "cloud"),
    Flow("observability", "cloud", (443, 9100, 10250), "API server, nodes, endpoints", "cloud"),
    Flow("observability", "identity", (80,), "AWS credentials", "cloud"),
    Flow("cloud", "ai-gateway", GATEWAY_PORTS, "health checks of the load balancer", "cloud"),
    Flow("cloud", "observability", (10250,), "the API server calls admission hooks", "cloud"),
    Flow("ai-gateway", "istio-system", (15012,), "the mesh's control plane", "mesh"),
    Flow("ai-agents", "istio-system", (15012,), "the mesh's control plane", "mesh"),
    Flow("observability", "ai-gateway", (15020,), "metrics merged by the sidecar", "mesh"),
    Flow("observability", "ai-agents", (15020,), "metrics merged by the sidecar", "mesh"),
)
"""Sources reach the port of a Pod, not of a Service.

Models take connections from ai-agents and ai-gateway only, as the reference architecture has it:
a tenant that could reach them past the gateway would also get past its budget."""


def flows(config: TrafficConfig) -> tuple[Flow, ...]:
    """The flows that exist in this stack."""
    left_out = {
        *(("cloud",) if config.cloud_cidr is None else ()),
        *(() if config.mesh else ("mesh",)),
        *(() if config.endpoint_pickers else ("pickers",)),
    }
    nowhere = "cloud" if config.cloud_cidr is None else None
    return tuple(flow for flow in FLOWS if flow.aspect not in left_out and flow.target != nowhere)


def peers(name: str, config: TrafficConfig) -> list[dict[str, Any]]:
    """A name of the table as NetworkPolicy peers; ValueError for a name that the table lacks."""
    if name in PLATFORM or name in OTHER_NAMESPACES:
        return [namespace_peer(name)]
    if name == "cluster":
        return [{"namespaceSelector": {}}]
    if name == "tenants":
        exists = {"key": TENANT_LABEL, "operator": "Exists"}
        return [{"namespaceSelector": {"matchExpressions": [exists]}}]
    if name == "clients":
        return [{"ipBlock": {"cidr": cidr}} for cidr in config.client_cidrs]
    if name == "internet":
        return [{"ipBlock": {"cidr": "0.0.0.0/0", "except": [*PRIVATE_RANGES]}}]
    if name == "identity":
        return [{"ipBlock": {"cidr": POD_IDENTITY_AGENT}}]
    if name == "cloud" and config.cloud_cidr is not None:
        return [{"ipBlock": {"cidr": config.cloud_cidr}}]
    raise ValueError(f"{name!r} is no peer of the traffic table")


def namespace_peer(name: str) -> dict[str, Any]:
    """All Pods of one namespace, found by the label that the API server itself sets."""
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}
