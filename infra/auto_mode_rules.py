"""Rules about who runs nodes: what our own Karpenter needs, and what EKS Auto Mode can't do."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from components.node_class import MANAGED_IMAGE, NodeClassConfig
from components.node_pool import NodePoolConfig

if TYPE_CHECKING:
    from infra.foundation_config import FoundationSection

OWN_KARPENTER = "choose cluster.eks.capacity: karpenter"


def _pools(config: "FoundationSection") -> Iterator[tuple[str, NodePoolConfig]]:
    for key, pools in (("gpuPools", config.gpu_pools), ("cpuPools", config.cpu_pools)):
        for name, pool in pools.items():
            yield f"{key}.{name}", pool


def _own_karpenter(config: "FoundationSection", _region: str | None) -> Iterator[str]:
    eks = config.cluster.eks
    if eks is not None and not eks.auto_mode:
        if config.karpenter is None:
            yield (
                "karpenter: got null; cluster.eks.capacity 'karpenter' needs it; give it a value, "
                "as Pulumi.dev.yaml does"
            )
        if eks.system_nodes is None:
            yield (
                "cluster.eks.systemNodes: got null; Karpenter and DNS need nodes before Karpenter "
                "can add any; give it a value, as Pulumi.dev.yaml does"
            )
        for path, pool in _pools(config):
            if pool.node_class.ami_alias == MANAGED_IMAGE:
                yield (
                    f"{path}.nodeClass.amiAlias: got '{MANAGED_IMAGE}', which leaves the image to "
                    "EKS Auto Mode; allowed with Karpenter is 'pinned', 'al2023@v<date>' or "
                    "'al2023@latest'"
                )


def _nothing_beside(config: "FoundationSection", _region: str | None) -> Iterator[str]:
    """What AWS runs in Auto Mode must not run a second time."""
    eks = config.cluster.eks
    if eks is None or not eks.auto_mode:
        return
    if config.karpenter is not None:
        yield (
            "karpenter: got a value; EKS Auto Mode runs Karpenter itself, and two of them fight "
            f"over the same pools; null it or {OWN_KARPENTER}"
        )
    if eks.system_nodes is not None:
        yield (
            "cluster.eks.systemNodes: got a value; Auto Mode needs no managed nodes, and Pods on "
            f"them would miss its network; null it or {OWN_KARPENTER}"
        )
    if eks.cni != "vpc-cni":
        yield (
            f"cluster.eks.cni: got '{eks.cni}'; Auto Mode runs its own network on every node and "
            f"takes no other; choose 'vpc-cni' or {OWN_KARPENTER}"
        )
    if config.load_balancer_controller is not None:
        yield (
            "loadBalancerController: got a value; Auto Mode makes load balancers itself; null it "
            f"or {OWN_KARPENTER}"
        )


def _pools_in_auto_mode(config: "FoundationSection", _region: str | None) -> Iterator[str]:
    eks = config.cluster.eks
    if eks is None or not eks.auto_mode:
        return
    for path, pool in _pools(config):
        yield from _node_class_in_auto_mode(path, pool.node_class)
        sharing = getattr(pool, "sharing", None)
        if sharing is not None:
            how = "migProfile" if sharing.mig_profile else "timeSlices"
            yield (
                f"{path}.sharing.{how}: got a value; the device plugin of Auto Mode's nodes offers "
                f"whole GPUs and takes no configuration; remove it or {OWN_KARPENTER}"
            )


def _node_class_in_auto_mode(path: str, config: NodeClassConfig) -> Iterator[str]:
    if config.ami_alias != MANAGED_IMAGE:
        yield (
            f"{path}.nodeClass.amiAlias: got '{config.ami_alias}'; in Auto Mode AWS chooses a node "
            f"image and replaces nodes for a newer one; write '{MANAGED_IMAGE}' or {OWN_KARPENTER}"
        )
    if config.efa:
        yield (
            f"{path}.nodeClass.efa: got true; a NodeClass of Auto Mode has no network interfaces "
            f"to configure; set false or {OWN_KARPENTER}"
        )
    if config.local_disks:
        yield (
            f"{path}.nodeClass.localDisks: got true; Auto Mode uses an instance's own disks by "
            f"itself and has no switch for it; set false or {OWN_KARPENTER}"
        )
    for index, reservation in enumerate(config.reservations):
        if reservation.instance_match_criteria is not None:
            yield (
                f"{path}.nodeClass.reservations[{index}].instanceMatchCriteria: got "
                f"'{reservation.instance_match_criteria}'; a NodeClass of Auto Mode knows id, tags "
                f"and owner only; remove it or {OWN_KARPENTER}"
            )


AUTO_MODE_RULES = (_own_karpenter, _nothing_beside, _pools_in_auto_mode)
