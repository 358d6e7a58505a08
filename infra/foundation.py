"""The AWS half of the wiring page: keys, VPC, storage, EKS, nodes, and what only EKS needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from components.backup import Backup
from components.cluster import Cluster, EksConfig
from components.encryption import Encryption
from components.existing_network import ExistingNetwork
from components.image_registry import ImageRegistry
from components.load_balancer_controller import LoadBalancerController
from components.network import Network
from components.object_storage import Bucket, ObjectStorage
from components.region import dns_suffix_of, partition_of
from infra.capacity import Place, capacity
from infra.config import PROJECT, PlatformConfig, TenantStackConfig, given, state_path
from infra.images import OwnImages, build_images
from infra.mirrors import mirror_options
from infra.providers import aws_providers, kubernetes_provider


@dataclass(frozen=True)
class Foundation:
    """What the rest of the platform stands on, whoever made the cluster."""

    in_cluster: pulumi.ResourceOptions
    """The Kubernetes provider and, on AWS, the AWS provider."""
    ready: list[pulumi.Resource]
    """Pods find a node, and Services a load balancer, once these exist."""
    cluster_name: pulumi.Input[str]
    kubeconfig: pulumi.Input[str]
    region: str | None = None
    account: pulumi.Input[str] = ""
    """Number of the AWS account."""
    on_aws: pulumi.ResourceOptions = field(default_factory=pulumi.ResourceOptions)
    """The AWS provider alone."""
    private_subnet_ids: list[pulumi.Output[str]] = field(default_factory=list)
    security_group_id: pulumi.Input[str] | None = None
    key_arns: Mapping[str, pulumi.Output[str]] = field(default_factory=dict)
    buckets: Mapping[str, Bucket] = field(default_factory=dict)
    registry_urls: Mapping[str, pulumi.Output[str]] = field(default_factory=dict)
    images: OwnImages = field(default_factory=OwnImages)
    """References of images in that registry."""

    @property
    def on_nodes(self) -> pulumi.ResourceOptions:
        """`in_cluster` for what brings Pods into namespaces of its own: they find nodes."""
        waits = pulumi.ResourceOptions(depends_on=self.ready)
        return pulumi.ResourceOptions.merge(self.in_cluster, waits)


def found(config: PlatformConfig, region: str | None) -> Foundation:
    """A cluster that is there already, or one made on AWS with all that it needs."""
    if config.cluster.eks is not None and region is not None:
        return _on_aws(config, config.cluster.eks, region)
    existing = given(config.cluster.existing)
    kubeconfig = str(state_path(existing.kubeconfig))
    provider = kubernetes_provider(kubeconfig, cluster=existing.context, context=existing.context)
    in_cluster = pulumi.ResourceOptions.merge(
        pulumi.ResourceOptions(providers=[provider]), mirror_options(config)
    )
    return Foundation(in_cluster, [], existing.context, kubeconfig)


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


def _on_aws(config: PlatformConfig, eks: EksConfig, region: str) -> Foundation:
    tags = {"Project": PROJECT, "Environment": config.environment} | config.tags
    providers = aws_providers(region, tags=tags)
    on_aws = pulumi.ResourceOptions(providers=providers)
    caller = pulumi.InvokeOutputOptions(provider=providers[0])
    account = aws.get_caller_identity_output(opts=caller).account_id
    keys = Encryption(
        "encryption",
        config=given(config.encryption),
        protect=config.protect,
        retain=config.retain_on_delete,
        opts=on_aws,
    )
    network = _network(config, eks, region, on_aws)
    cluster = Cluster(
        "cluster",
        config=eks,
        region=region,
        vpc_id=network.vpc_id,
        private_subnet_ids=network.private_subnet_ids,
        public_subnet_ids=network.public_subnet_ids,
        admin_role_arn=role_arn(eks.admin_role, region=region, account=account),
        secrets_key_arn=keys.key_arns["cluster"],
        opts=on_aws,
    )
    provider = kubernetes_provider(cluster.kubeconfig, cluster=eks.name)
    in_cluster = pulumi.ResourceOptions.merge(
        pulumi.ResourceOptions(providers=[*providers, provider]),
        mirror_options(config, own_registry=registry_host(account, region)),
    )
    subnets = network.private_subnet_ids
    place = Place(cluster, region, account, subnets, network.ready, in_cluster)
    ready = capacity(config, eks, place)
    ready += _load_balancers(config, place, network, ready)
    _backup(config, keys, region, on_aws)
    urls = _registry(config, keys, on_aws)
    return Foundation(
        in_cluster=in_cluster,
        on_aws=on_aws,
        ready=ready,
        cluster_name=cluster.cluster_name,
        kubeconfig=cluster.kubeconfig,
        region=region,
        account=account,
        private_subnet_ids=network.private_subnet_ids,
        security_group_id=cluster.security_group_id,
        key_arns=keys.key_arns,
        buckets=_buckets(config, keys, on_aws),
        registry_urls=urls,
        images=OwnImages(urls, build_images(config, urls, opts=on_aws)),
    )


def _network(
    config: PlatformConfig, eks: EksConfig, region: str, opts: pulumi.ResourceOptions
) -> Network | ExistingNetwork:
    if config.existing_network is not None:
        return ExistingNetwork(
            "network", config=config.existing_network, cluster=eks.name, opts=opts
        )
    return Network(
        "network", config=given(config.network), cluster=eks.name, region=region, opts=opts
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


def _backup(
    config: PlatformConfig, keys: Encryption, region: str, opts: pulumi.ResourceOptions
) -> None:
    if config.backup is None:
        return
    Backup(
        "backup",
        config=config.backup,
        key_arn=keys.key_arns["storage"],
        partition=partition_of(region),
        protect=config.protect,
        retain=config.retain_on_delete,
        opts=opts,
    )


def _buckets(
    config: PlatformConfig, keys: Encryption, opts: pulumi.ResourceOptions
) -> dict[str, Bucket]:
    if config.object_storage is None:
        return {}
    return ObjectStorage(
        "storage",
        config=config.object_storage,
        key_arn=keys.key_arns["storage"],
        protect=config.protect,
        retain=config.retain_on_delete,
        opts=opts,
    ).buckets


def _registry(
    config: PlatformConfig, keys: Encryption, opts: pulumi.ResourceOptions
) -> dict[str, pulumi.Output[str]]:
    if config.image_registry is None:
        return {}
    return ImageRegistry(
        "registry",
        config=config.image_registry,
        key_arn=keys.key_arns["storage"],
        protect=config.protect,
        retain=config.retain_on_delete,
        opts=opts,
    ).urls


def role_arn(name: str, *, region: str, account: pulumi.Output[str]) -> pulumi.Output[str]:
    """ARN of an IAM role of this account, out of its name (with path)."""
    return pulumi.Output.concat(f"arn:{partition_of(region)}:iam::", account, f":role/{name}")


def registry_host(account: pulumi.Input[str], region: str) -> pulumi.Output[str]:
    """Address of this account's ECR."""
    return pulumi.Output.concat(account, f".dkr.ecr.{region}.{dns_suffix_of(region)}")
