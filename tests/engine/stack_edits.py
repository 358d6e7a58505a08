"""One edit of each kind of data in a stack file, and the only steps that it may cause."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tests.infra.platforms import AUTO_MODE

GPU_POOL = "gpu-inference-pool"
BUCKET = (
    "Bucket",
    "BucketLifecycleConfiguration",
    "BucketOwnershipControls",
    "BucketPolicy",
    "BucketPublicAccessBlock",
    "BucketServerSideEncryptionConfiguration",
    "BucketVersioning",
)


class Edit(NamedTuple):
    """A change of the platform's data; steps are `<operation> <kind> <name>`."""

    change: Callable[[dict[str, Any]], None]
    steps: tuple[str, ...]


def _gpu_limit(data: dict[str, Any]) -> None:
    data["gpuPools"][GPU_POOL]["limits"]["nvidia.com/gpu"] = "72"


def _node_disk(data: dict[str, Any]) -> None:
    data["cpuPools"]["general-pool"]["nodeClass"]["disk"]["gib"] += 50


def _weights(data: dict[str, Any]) -> None:
    primary, canary = data["gateway"]["models"][0]["backends"]
    primary["weight"], canary["weight"] = 50, 50


def _chart_value(data: dict[str, Any]) -> None:
    data["autoscalingOperator"]["replicas"] += 1


def _controller(data: dict[str, Any]) -> None:
    data["karpenter"]["replicas"] += 1


def _group_of_viewers(data: dict[str, Any]) -> None:
    data["accessControl"]["viewerGroups"] += ["auditors"]


def _lifecycle(data: dict[str, Any]) -> None:
    data["objectStorage"]["buckets"]["artifacts"]["expireDays"] += 1


def _scaler(data: dict[str, Any]) -> None:
    data["scalers"]["agent-scaler"]["maxReplicas"] += 1


def _backup(data: dict[str, Any]) -> None:
    data["backup"]["retainDays"] += 1


def _logs(data: dict[str, Any]) -> None:
    data["cluster"]["eks"]["logRetentionDays"] = 90
    data["network"]["flowLogRetentionDays"] = 60


def _endpoint(data: dict[str, Any]) -> None:
    data["network"]["interfaceEndpoints"] += ["ssm"]


def _old_images(data: dict[str, Any]) -> None:
    data["imageRegistry"]["keepImages"] += 1


def _bucket(data: dict[str, Any]) -> None:
    data["objectStorage"]["buckets"]["reports"] = {}


def _secret(data: dict[str, Any]) -> None:
    token = {"name": "search-token", "keys": {"token": "search-token"}, "namespaces": ["ai-agents"]}
    data["secrets"]["entries"] += [token]


def _retention(data: dict[str, Any]) -> None:
    data["metrics"]["retention"] = "21d"


def _copies(data: dict[str, Any]) -> None:
    data["vectorStore"]["backup"]["schedule"] = "45 3 * * *"


def _clients(data: dict[str, Any]) -> None:
    data["networkPolicies"]["clientCidrs"] += ["192.168.0.0/16"]


def _system_nodes(data: dict[str, Any]) -> None:
    data["cluster"]["eks"]["systemNodes"]["maxSize"] += 1


def _public_name(data: dict[str, Any]) -> None:
    data["tracing"]["publicUrl"] = "https://other.example.com"


def _tool_server(data: dict[str, Any]) -> None:
    data["toolServer"]["replicas"] += 1


def _key(data: dict[str, Any]) -> None:
    data["gatewayKeys"]["partner"] = "gateway-api-key-partner"


def _tags(data: dict[str, Any]) -> None:
    data["tags"]["Team"] = "agents"


def _tenant(data: dict[str, Any]) -> None:
    data["tenants"] = {"tenant-b": {}}


COMMON: dict[str, Edit] = {
    "the limit of a pool": Edit(_gpu_limit, (f"update NodePool {GPU_POOL}",)),
    "a node's disk": Edit(_node_disk, ("update EC2NodeClass general-pool",)),
    "weights of a route": Edit(_weights, ("update HTTPRoute gateway-route",)),
    "a chart's value": Edit(_chart_value, ("update Release keda",)),
    "the node autoscaler": Edit(_controller, ("update Release karpenter",)),
    "who may look": Edit(_group_of_viewers, ("update RoleBinding access-control-agent-viewer",)),
    "how long artifacts stay": Edit(
        _lifecycle, ("update BucketLifecycleConfiguration storage-artifacts",)
    ),
    "an agent's scaling": Edit(_scaler, ("update ScaledObject agent-scaler-scaler",)),
    "how long backups stay": Edit(_backup, ("update Plan backup",)),
    "how long logs stay": Edit(
        _logs, ("update LogGroup cluster-logs", "update LogGroup network-flow-logs")
    ),
    "a way to one more service": Edit(_endpoint, ("create VpcEndpoint network-ssm",)),
    "how many images stay": Edit(
        _old_images, ("update LifecyclePolicy registry-agentic-platform-agent-runtime",)
    ),
    "a bucket": Edit(_bucket, tuple(f"create {kind} storage-reports" for kind in BUCKET)),
    "a secret": Edit(_secret, ("create ExternalSecret secrets-ai-agents-search-token",)),
    "how long metrics stay": Edit(_retention, ("update Release kube-prometheus-stack",)),
    "when vectors are copied": Edit(_copies, ("update CronJob vector-store-backup-cronjob",)),
    "who may come in": Edit(
        _clients, ("update NetworkPolicy network-policies-ai-gateway-gateway-network-policy",)
    ),
    "the system nodes": Edit(_system_nodes, ("update NodeGroup system-nodes",)),
    "the address of traces": Edit(_public_name, ("update Release langfuse",)),
    "the tool server": Edit(_tool_server, ("update Deployment tool-server-deployment",)),
    "a key of the gateway": Edit(
        _key, ("update ExternalSecret secrets-ai-gateway-gateway-api-keys",)
    ),
    # they are the provider's default tags: the real plugin goes on to each resource itself
    "tags": Edit(_tags, ("update aws aws",)),
    "a tenant": Edit(
        _tenant,
        (
            "create Tenant tenant-b",
            "create Namespace tenant-b",
            "create ResourceQuota tenant-b-tenant-b-quota",
            "create LimitRange tenant-b-container-defaults",
            "create NetworkPolicy tenant-b-tenant-isolation",
            "create NetworkPolicy tenant-b-platform-access",
            "create Role tenant-b-agent-operator",
            "create Role tenant-b-agent-viewer",
        ),
    ),
}
# its backups are locked: AWS learns the new number too
PROD: dict[str, Edit] = COMMON | {
    "how long backups stay": Edit(
        _backup, ("update Plan backup", "update VaultLockConfiguration backup")
    )
}
AUTO: dict[str, Edit] = {
    name: edit
    for name, edit in PROD.items()
    if name not in ("the node autoscaler", "the system nodes")
} | {"a node's disk": Edit(_node_disk, ("update NodeClass general-pool",))}
EDITS: Mapping[str, Mapping[str, Edit]] = {"dev": COMMON, "prod": PROD, AUTO_MODE: AUTO}


def apply_edits(stack: str, data: dict[str, Any]) -> dict[str, Any]:
    """The data with every edit of that stack in it."""
    for edit in EDITS[stack].values():
        edit.change(data)
    return data


def expected_steps(stack: str) -> list[str]:
    """Every step that the edits together may take, sorted."""
    return sorted(step for edit in EDITS[stack].values() for step in edit.steps)
