"""Rules between keys of a stack file; each broken one is a line that begins with its path."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from components.subnet_plan import overlaps

if TYPE_CHECKING:
    from infra.config import PlatformConfig

FLOATING_IMAGE = "al2023@latest"


def broken_rules(config: "PlatformConfig", *, region: str | None) -> list[str]:
    """Every broken rule; `region` is `aws:region` of the same stack file."""
    return [line for rule in RULES for line in rule(config, region)]


def _eks_needs(config: "PlatformConfig", region: str | None) -> Iterator[str]:
    if config.cluster.eks is None:
        return
    if region is None:
        yield "cluster.eks: got a cluster on AWS without 'aws:region'; set it beside this key"
    for key in ("network", "encryption", "karpenter"):
        if getattr(config, key) is None:
            yield f"{key}: got null; cluster.eks needs it; give it a value, as Pulumi.dev.yaml does"
    eks = config.cluster.eks
    if eks.public_endpoint and not eks.public_access_cidrs:
        yield (
            "cluster.eks.publicAccessCidrs: got an empty list; a public endpoint needs at least "
            "one block; name your networks or set publicEndpoint: false"
        )


def _zones(config: "PlatformConfig", region: str | None) -> Iterator[str]:
    zones = config.network.availability_zones if config.network else ()
    for index, zone in enumerate(zones):
        if region and not zone.startswith(region):
            yield (
                f"network.availabilityZones[{index}]: got '{zone}'; allowed are zones of "
                f"aws:region '{region}', such as '{region}a'"
            )
    for zone in sorted({zone for zone in zones if zones.count(zone) > 1}):
        yield f"network.availabilityZones: got '{zone}' twice; name each zone once"


def _addresses(config: "PlatformConfig", _region: str | None) -> Iterator[str]:
    if config.network is None:
        return
    blocks = {"network.cidr": config.network.cidr}
    if config.cluster.eks:
        blocks["cluster.eks.serviceCidr"] = config.cluster.eks.service_cidr
    for name, cidr in config.network.connected_networks.items():
        blocks[f"network.connectedNetworks.{name}"] = cidr
    yield from overlaps(blocks)


def _pools(config: "PlatformConfig", _region: str | None) -> Iterator[str]:
    for name in sorted(config.gpu_pools.keys() & config.cpu_pools.keys()):
        yield f"cpuPools.{name}: got a name that gpuPools has too; rename one of them"
    if config.karpenter is None:
        for key, pools in (("gpuPools", config.gpu_pools), ("cpuPools", config.cpu_pools)):
            if pools:
                yield f"{key}: got {', '.join(pools)}; pools need karpenter; set it or remove them"


def _images(config: "PlatformConfig", _region: str | None) -> Iterator[str]:
    if not config.pinned_node_images:
        return
    for key, pools in (("gpuPools", config.gpu_pools), ("cpuPools", config.cpu_pools)):
        for name, pool in pools.items():
            if pool.node_class.ami_alias == FLOATING_IMAGE:
                yield (
                    f"{key}.{name}.nodeClass.amiAlias: got '{FLOATING_IMAGE}'; with "
                    "pinnedNodeImages: true allowed is 'pinned' or 'al2023@v<date>'"
                )


def _operators(config: "PlatformConfig", _region: str | None) -> Iterator[str]:
    if config.agent_service.controller == "kagent" and config.agent_operator is None:
        yield (
            "agentOperator: got null; agentService.controller 'kagent' needs it; "
            "set it or choose the controller 'none'"
        )
    if config.scalers and config.autoscaling_operator is None:
        yield "autoscalingOperator: got null; scalers need it; set it or remove the scalers"
    if config.scalers and config.metrics.variant == "none":
        yield "metrics.variant: got 'none'; scalers ask Prometheus; choose 'chart' or 'embedded'"
    if config.secrets.source == "externalSecrets" and config.secret_operator is None:
        yield (
            "secretOperator: got null; secrets.source 'externalSecrets' needs it; "
            "set it or choose the source 'directory'"
        )


def _stores(config: "PlatformConfig", _region: str | None) -> Iterator[str]:
    buckets = config.object_storage.buckets if config.object_storage else {}
    wanted = {"vectors": ("vectorStore", "chart"), "traces": ("tracing", "langfuse")}
    chosen = {"vectors": config.vector_store.variant, "traces": config.tracing.variant}
    for bucket, (key, variant) in wanted.items():
        if chosen[bucket] == variant and bucket not in buckets:
            yield (
                f"{key}.variant: got '{variant}', which keeps its data in objectStorage.buckets."
                f"{bucket}; add that bucket or choose 'embedded'"
            )


def _gateway(config: "PlatformConfig", _region: str | None) -> Iterator[str]:
    files = config.secrets.source == "directory"
    if config.gateway.variant == "envoy" and not files:
        yield (
            "gateway.variant: got 'envoy', whose keys must be known to this program; "
            "choose 'kgateway' or secrets.source 'directory'"
        )
    if config.gateway.jwt and config.gateway.jwt.jwks_url is None and not files:
        yield (
            "gateway.jwt.jwksUrl: missing; without it the key set is the file jwks.json of "
            "secrets.source 'directory'; name your identity provider's URL"
        )


RULES = (_eks_needs, _zones, _addresses, _pools, _images, _operators, _stores, _gateway)
