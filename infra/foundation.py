"""The wiring of the cluster that everything stands on: made on AWS, or there already."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi

from components.cluster import Cluster, EksConfig
from components.existing_network import ExistingNetwork
from components.load_balancer_controller import LoadBalancerController
from components.network import Network
from components.object_storage import Bucket
from infra.account import Account, open_account
from infra.capacity import Place, capacity
from infra.config import PlatformConfig, TenantStackConfig, given, state_path
from infra.definitions import definition_options
from infra.images import OwnImages
from infra.mirrors import mirror_options
from infra.providers import kubernetes_provider


@dataclass(frozen=True)
class Foundation:
    """What the rest of the platform stands on, whoever made the cluster."""

    in_cluster: pulumi.ResourceOptions
    """The Kubernetes provider and, on AWS, the AWS provider."""
    ready: list[pulumi.Resource]
    """Pods find a node, and Services a load balancer, once these exist."""
    cluster_name: pulumi.Input[str]
    kubeconfig: pulumi.Input[str]
    on_aws: Account | None = None
    """What the stack has on AWS; None where it has nothing there."""
    private_subnet_ids: list[pulumi.Output[str]] = field(default_factory=list)
    security_group_id: pulumi.Input[str] | None = None

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
    def images(self) -> OwnImages:
        """References of images in that registry."""
        return self.on_aws.images if self.on_aws else OwnImages()

    @property
    def on_nodes(self) -> pulumi.ResourceOptions:
        """`in_cluster` for what brings Pods into namespaces of its own: they find nodes."""
        waits = pulumi.ResourceOptions(depends_on=self.ready)
        return pulumi.ResourceOptions.merge(self.in_cluster, waits)


def found(config: PlatformConfig, region: str | None) -> Foundation:
    """A cluster that is there already, or one made on AWS with all that it needs."""
    account = open_account(config, region) if config.encryption and region else None
    if config.cluster.eks is not None:
        return _on_eks(config, config.cluster.eks, given(account))
    existing = given(config.cluster.existing)
    kubeconfig = str(state_path(existing.kubeconfig))
    provider = kubernetes_provider(kubeconfig, cluster=existing.context, context=existing.context)
    if account is None:
        in_cluster = pulumi.ResourceOptions.merge(
            pulumi.ResourceOptions(providers=[provider]), mirror_options(config)
        )
        in_cluster = pulumi.ResourceOptions.merge(
            in_cluster, definition_options(protect=config.protect)
        )
        return Foundation(in_cluster, [], existing.context, kubeconfig)
    return Foundation(
        _in_cluster(config, account, provider),
        [],
        existing.eks_name or existing.context,
        kubeconfig,
        on_aws=account,
    )


def _in_cluster(
    config: PlatformConfig, account: Account, provider: pulumi.ProviderResource
) -> pulumi.ResourceOptions:
    """For objects of the cluster, and for their identities on AWS."""
    mirrored = pulumi.ResourceOptions.merge(
        pulumi.ResourceOptions(providers=[*account.providers, provider]),
        mirror_options(config, own_registry=account.registry_host),
    )
    return pulumi.ResourceOptions.merge(mirrored, definition_options(protect=config.protect))


def cluster_of_tenant(config: TenantStackConfig) -> pulumi.ResourceOptions:
    """The Kubernetes provider of the platform that a tenant's stack names."""
    if config.platform is not None:
        outputs = pulumi.StackReference(config.platform.stack)
        provider = kubernetes_provider(
            outputs.require_output("kubeconfig"), cluster=config.platform.stack
        )
        return pulumi.ResourceOptions(providers=[provider])
    existing = given(config.cluster).existing
    provider = kubernetes_provider(
        str(state_path(existing.kubeconfig)), cluster=existing.context, context=existing.context
    )
    return pulumi.ResourceOptions(providers=[provider])


def _on_eks(config: PlatformConfig, eks: EksConfig, account: Account) -> Foundation:
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
    in_cluster = _in_cluster(config, account, provider)
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
        on_aws=account,
        private_subnet_ids=network.private_subnet_ids,
        security_group_id=cluster.security_group_id,
    )


def _network(config: PlatformConfig, eks: EksConfig, account: Account) -> Network | ExistingNetwork:
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
    config: PlatformConfig,
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
