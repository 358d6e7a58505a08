"""Rules between keys of a stack file; each broken one is a line that begins with its path."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from infra.auto_mode_rules import AUTO_MODE_RULES
from infra.capacity_rules import CAPACITY_RULES
from infra.foundation_rules import FOUNDATION_RULES
from infra.gateway_rules import GATEWAY_RULES
from infra.offer import offer_of
from infra.offer_rules import broken_by_offer
from infra.placement_rules import PLACEMENT_RULES
from infra.quota_rules import QUOTA_RULES
from infra.secret_rules import SECRET_RULES
from infra.serving_rules import SERVING_RULES
from infra.store_rules import STORE_RULES

if TYPE_CHECKING:
    from infra.config import PlatformConfig
    from infra.foundation_config import FoundationSection

FLOATING_IMAGE = "al2023@latest"


def broken_ground_rules(config: "FoundationSection", *, region: str | None) -> list[str]:
    """Every broken rule about the ground alone; `region` is `aws:region` of the same stack file."""
    return [line for rule in GROUND_RULES for line in rule(config, region)]


def broken_rules(config: "PlatformConfig", *, region: str | None) -> list[str]:
    """Every broken rule of a platform; what it asks of another stack's ground is not known yet."""
    lines = broken_ground_rules(config, region=region)
    lines += [line for rule in PLATFORM_RULES for line in rule(config, region)]
    return lines if config.cluster.stack else lines + broken_by_offer(config, offer_of(config))


def _pools(config: "FoundationSection", _region: str | None) -> Iterator[str]:
    for name in sorted(config.gpu_pools.keys() & config.cpu_pools.keys()):
        yield f"cpuPools.{name}: got a name that gpuPools has too; rename one of them"


def _images(config: "FoundationSection", _region: str | None) -> Iterator[str]:
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


GROUND_RULES = (*FOUNDATION_RULES, *AUTO_MODE_RULES, *CAPACITY_RULES, _pools, _images)
PLATFORM_RULES = (
    *PLACEMENT_RULES,
    *SERVING_RULES,
    _operators,
    *GATEWAY_RULES,
    *STORE_RULES,
    *SECRET_RULES,
    *QUOTA_RULES,
)
