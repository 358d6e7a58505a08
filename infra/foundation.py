"""The wiring of what everything stands on: made here, by another stack, or there already."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pulumi

from components.cluster import Cluster, EksConfig
from components.existing_network import ExistingNetwork
from components.load_balancer_controller import LoadBalancerController
from components.network import Network
from components.object_storage import Bucket
from infra.account import Account, account_of, open_account
from infra.capacity import Place, capacity
from infra.config import (
    ExistingClusterConfig,
    FoundationSection,
    FoundationStackConfig,
    PlatformConfig,
    TenantStackConfig,
    given,
    state_path,
)
from infra.definitions import definition_options
from infra.drain_options import drain_options
from infra.images import OwnImages, build_images
from infra.mirrors import mirror_options
from infra.offer import Offer, offer_of
from infra.providers import kubernetes_provider
from infra.reference import foundation_of, require_foundation


@dataclass(frozen=True)
class Foundation:
    """What the rest of the platform stands on, whoever made the cluster."""

    in_cluster: pulumi.ResourceOptions
    """The Kubernetes provider and, on AWS, the AWS provider."""
    ready: list[pulumi.Resource]
    """Pods find a node, and Services a load balancer, once these exist."""
    cluster_name: pulumi.Input[str]
    kubeconfig: pulumi.Input[str]
    offer: Offer
    """What workloads may ask of it."""
    context: str | None = None
    """The context in that kubeconfig, where it has several."""
    on_aws: Account | None = None
    """What the stack has on AWS; None where it has nothing there."""
    private_subnet_ids: list[pulumi.Output[str]] = field(default_factory=list)
    security_group_id: pulumi.Input[str] | None = None
    images: OwnImages = field(default_factory=OwnImages)
    """References of images in the registry."""

    @property
    def region(self) -> str | None:
        """AWS region."""
        return self.on_aws.region if self.on_aws else None

    @property
    def account(self) -> pulumi.Input[str]:
        """Number of the AWS account; empty without one."""
        return self.on_aws.number if self.on_aws else ""

    @property
    def key_arns(self) -> Mapping[str, pulumi.Output[str]]:
        """KMS keys by purpose."""
        return self.on_aws.key_arns if self.on_aws else {}

    @property
    def buckets(self) -> Mapping[str, Bucket]:
        """S3 buckets by their short names."""
        return self.on_aws.buckets if self.on_aws else {}

    @property
    def registry_urls(self) -> Mapping[str, pulumi.Output[str]]:
        """ECR repositories."""
        return self.on_aws.registry_urls if self.on_aws else {}

    @property
    def on_nodes(self) -> pulumi.ResourceOptions:
        """`in_cluster` for what brings Pods into namespaces of its own: they find nodes."""
        waits = pulumi.ResourceOptions(depends_on=self.ready)
        return pulumi.ResourceOptions.merge(self.in_cluster, waits)


def found(config: PlatformConfig, region: str | None) -> Foundation:
    """What a platform stands on, and the images that its stack builds."""
    if config.cluster.stack is not None:
        foundation = _on_foundation(config, config.cluster.stack.name, region)
    elif config.cluster.eks is not None:
        foundation = found_on_eks(config, config.cluster.eks, region)
    else:
        foundation = _on_existing(config, given(config.cluster.existing), region)
    account = foundation.on_aws
    if account is None:
        return foundation
    built = build_images(config.image_builds, account.registry_urls, opts=account.opts)
    return replace(foundation, images=OwnImages(account.registry_urls, built))


def found_on_eks(
    config: PlatformConfig | FoundationStackConfig, eks: EksConfig, region: str | None
) -> Foundation:
    """A cluster made on AWS with all that it needs."""
    return _on_eks(config, eks, open_account(config, given(region)))


def _on_foundation(config: PlatformConfig, stack: str, region: str | None) -> Foundation:
    """The cluster, keys, buckets and registry of another stack."""
    outputs = foundation_of(stack, key="cluster.stack.name")
    ground = require_foundation(config, outputs, stack=stack, region=region)
    account = account_of(config, ground.account)
    cluster = outputs.cluster
    provider = kubernetes_provider(
        cluster.kubeconfig, cluster=cluster.name, context=cluster.context
    )
    return Foundation(
        in_cluster=_drained(config, account, provider, kubeconfig=cluster.kubeconfig),
        ready=[],
        cluster_name=cluster.name,
        kubeconfig=cluster.kubeconfig,
        offer=outputs.offer,
        context=cluster.context,
        on_aws=account,
        private_subnet_ids=[
            pulumi.Output.from_input(it) for it in ground.network.private_subnet_ids
        ],
        security_group_id=ground.network.security_group_id,
    )


def _on_existing(
    config: PlatformConfig, existing: ExistingClusterConfig, region: str | None
) -> Foundation:
    """A cluster that is there already, and what the stack has on AWS beside it."""
    account = open_account(config, region) if config.encryption and region else None
    kubeconfig = str(state_path(existing.kubeconfig))
    provider = kubernetes_provider(kubeconfig, cluster=existing.context, context=existing.context)
    return Foundation(
        _in_cluster(config, account, provider),
        [],
        existing.eks_name or existing.context if account else existing.context,
        kubeconfig,
        offer_of(config),
        context=existing.context,
        on_aws=account,
    )


def _in_cluster(
    config: FoundationSection, account: Account | None, provider: pulumi.ProviderResource
) -> pulumi.ResourceOptions:
    """For objects of the cluster, and for their identities on AWS."""
    aws, registry = (account.providers, account.registry_host) if account else ([], "")
    mirrored = pulumi.ResourceOptions.merge(
        pulumi.ResourceOptions(providers=[*aws, provider]),
        mirror_options(config, own_registry=registry),
    )
    return pulumi.ResourceOptions.merge(mirrored, definition_options(protect=config.protect))


def _drained(
    config: FoundationSection,
    account: Account,
    provider: pulumi.ProviderResource,
    *,
    kubeconfig: pulumi.Input[str],
) -> pulumi.ResourceOptions:
    """The same, for a cluster whose controllers make things on AWS that Pulumi does not know."""
    drains = drain_options(config.teardown, retain=config.retain_on_delete, kubeconfig=kubeconfig)
    return pulumi.ResourceOptions.merge(_in_cluster(config, account, provider), drains)


def cluster_of_tenant(config: TenantStackConfig) -> pulumi.ResourceOptions:
    """The Kubernetes provider of the platform that a tenant's stack names."""
    if config.platform is not None:
        stack = config.platform.stack
        cluster = foundation_of(stack, key="platform.stack").cluster
        provider = kubernetes_provider(cluster.kubeconfig, cluster=stack, context=cluster.context)
        return pulumi.ResourceOptions(providers=[provider])
    existing = given(config.cluster).existing
    provider = kubernetes_provider(
        str(state_path(existing.kubeconfig)), cluster=existing.context, context=existing.context
    )
    return pulumi.ResourceOptions(providers=[provider])


def _on_eks(config: FoundationSection, eks: EksConfig, account: Account) -> Foundation:
    network = _network(config, eks, account)
    cluster = Cluster(
        "cluster",
        config=eks,
        region=account.region,
        vpc_id=network.vpc_id,
        private_subnet_ids=network.private_subnet_ids,
        public_subnet_ids=network.public_subnet_ids,
        admin_role_arn=account.role_arn(eks.admin_role),
        secrets_key_arn=account.key_arns["cluster"],
        opts=account.opts,
    )
    provider = kubernetes_provider(cluster.kubeconfig, cluster=eks.name)
    in_cluster = _drained(config, account, provider, kubeconfig=cluster.kubeconfig)
    place = Place(
        cluster=cluster,
        region=account.region,
        account=account.number,
        subnet_ids=network.private_subnet_ids,
        routes=network.ready,
        in_cluster=in_cluster,
    )
    ready = capacity(config, eks, place)
    return Foundation(
        in_cluster=in_cluster,
        ready=[*ready, *_load_balancers(config, place, network, ready)],
        cluster_name=cluster.cluster_name,
        kubeconfig=cluster.kubeconfig,
        offer=offer_of(config),
        on_aws=account,
        private_subnet_ids=network.private_subnet_ids,
        security_group_id=cluster.security_group_id,
    )


def _network(
    config: FoundationSection, eks: EksConfig, account: Account
) -> Network | ExistingNetwork:
    if config.existing_network is not None:
        return ExistingNetwork(
            "network", config=config.existing_network, cluster=eks.name, opts=account.opts
        )
    return Network(
        "network",
        config=given(config.network),
        cluster=eks.name,
        region=account.region,
        opts=account.opts,
    )


def _load_balancers(
    config: FoundationSection,
    place: Place,
    network: Network | ExistingNetwork,
    depends_on: list[pulumi.Resource],
) -> list[pulumi.Resource]:
    if config.load_balancer_controller is None:
        return []
    return LoadBalancerController(
        "load-balancer-controller",
        config=config.load_balancer_controller,
        cluster_name=place.cluster.cluster_name,
        region=place.region,
        account=place.account,
        vpc_id=network.vpc_id,
        opts=pulumi.ResourceOptions.merge(
            place.in_cluster, pulumi.ResourceOptions(depends_on=depends_on)
        ),
    ).ready
