"""Rules between keys of a stack file; each broken one is a line that begins with its path."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from infra.auto_mode_rules import AUTO_MODE_RULES
from infra.capacity_rules import CAPACITY_RULES
from infra.foundation_rules import FOUNDATION_RULES
from infra.gateway_rules import GATEWAY_RULES
from infra.quota_rules import QUOTA_RULES
from infra.secret_rules import SECRET_RULES
from infra.serving_rules import SERVING_RULES
from infra.store_rules import STORE_RULES

if TYPE_CHECKING:
    from infra.config import PlatformConfig

FLOATING_IMAGE = "al2023@latest"


def broken_rules(config: "PlatformConfig", *, region: str | None) -> list[str]:
    """Every broken rule; `region` is `aws:region` of the same stack file."""
    return [line for rule in RULES for line in rule(config, region)]


def _pools(config: "PlatformConfig", _region: str | None) -> Iterator[str]:
    for name in sorted(config.gpu_pools.keys() & config.cpu_pools.keys()):
        yield f"cpuPools.{name}: got a name that gpuPools has too; rename one of them"


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


RULES = (
    *FOUNDATION_RULES,
    *AUTO_MODE_RULES,
    *CAPACITY_RULES,
    *SERVING_RULES,
    _pools,
    _images,
    _operators,
    _stores,
    *GATEWAY_RULES,
    *STORE_RULES,
    *SECRET_RULES,
    *QUOTA_RULES,
)
