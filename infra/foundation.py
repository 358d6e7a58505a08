"""The AWS half of the wiring page: keys, VPC, storage, EKS, nodes, and what only EKS needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import pulumi
import pulumi_aws as aws

from components.cluster import Cluster, EksConfig
from components.cluster_addons import AFTER_NODES, BEFORE_NODES, ClusterAddons
from components.encryption import Encryption
from components.gpu_node_pool import NodePool
from components.image_registry import ImageRegistry
from components.karpenter import Karpenter
from components.network import Network
from components.object_storage import Bucket, ObjectStorage
from components.ordering import after
from components.region import partition_of
from components.storage_class import StorageClass
from components.system_nodes import SystemNodes
from infra.config import PROJECT, PlatformConfig, TenantStackConfig, state_path
from infra.providers import aws_providers, kubernetes_provider

T = TypeVar("T")


@dataclass(frozen=True)
class Foundation:
    """What the rest of the platform stands on, whoever made the cluster."""

    in_cluster: pulumi.ResourceOptions
    """The Kubernetes provider and, on AWS, the AWS provider."""
    ready: list[pulumi.Resource]
    """Pods find a node, and the Gateway API's kinds exist, once these do."""
    cluster_name: pulumi.Input[str]
    kubeconfig: pulumi.Input[str]
    region: str | None = None
    account: pulumi.Input[str] = ""
    """Number of the AWS account."""
    private_subnet_ids: list[pulumi.Output[str]] = field(default_factory=list)
    security_group_id: pulumi.Input[str] | None = None
    key_arns: Mapping[str, pulumi.Output[str]] = field(default_factory=dict)
    buckets: Mapping[str, Bucket] = field(default_factory=dict)
    registry_urls: Mapping[str, pulumi.Output[str]] = field(default_factory=dict)


def found(config: PlatformConfig, region: str | None) -> Foundation:
    """A cluster that is there already, or one made on AWS with all that it needs."""
    if config.cluster.eks is not None and region is not None:
        return _on_aws(config, config.cluster.eks, region)
    existing = given(config.cluster.existing)
    kubeconfig = str(state_path(existing.kubeconfig))
    provider = kubernetes_provider(kubeconfig, cluster=existing.context, context=existing.context)
    in_cluster = pulumi.ResourceOptions(providers=[provider])
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
        "encryption", config=given(config.encryption), protect=config.protect, opts=on_aws
    )
    network = Network(
        "network", config=given(config.network), cluster=eks.name, region=region, opts=on_aws
    )
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
    in_cluster = pulumi.ResourceOptions(providers=[*providers, provider])
    system = _system(eks, region, network, cluster, in_cluster)
    karpenter = Karpenter(
        "karpenter",
        config=given(config.karpenter),
        cluster_name=cluster.cluster_name,
        cluster_endpoint=cluster.endpoint,
        region=region,
        account=account,
        opts=pulumi.ResourceOptions.merge(in_cluster, pulumi.ResourceOptions(depends_on=system)),
    )
    return Foundation(
        in_cluster=in_cluster,
        ready=[*_pools(config, cluster, karpenter, in_cluster), *system],
        cluster_name=cluster.cluster_name,
        kubeconfig=cluster.kubeconfig,
        region=region,
        account=account,
        private_subnet_ids=network.private_subnet_ids,
        security_group_id=cluster.security_group_id,
        key_arns=keys.key_arns,
        buckets=_buckets(config, keys, on_aws),
        registry_urls=_registry(config, keys, on_aws),
    )


def _system(
    eks: EksConfig,
    region: str,
    network: Network,
    cluster: Cluster,
    in_cluster: pulumi.ResourceOptions,
) -> list[pulumi.Resource]:
    """Agents of each node, the system nodes, then what runs on them; Karpenter waits for all."""
    settings = {"kubernetes_version": eks.version, "partition": partition_of(region)}
    agents = ClusterAddons(
        "node-agents",
        addons=BEFORE_NODES,
        cluster_name=cluster.cluster_name,
        opts=in_cluster,
        **settings,
    )
    nodes = SystemNodes(
        "system-nodes",
        config=eks.system_nodes,
        cluster_name=cluster.cluster_name,
        subnet_ids=network.private_subnet_ids,
        depends_on=[*agents.addons, *network.ready],
        opts=in_cluster,
        **settings,
    )
    addons = ClusterAddons(
        "cluster-addons",
        addons=AFTER_NODES,
        cluster_name=after(cluster.cluster_name, [nodes.group]),
        opts=in_cluster,
        **settings,
    )
    storage = StorageClass("gp3", opts=in_cluster)
    return [nodes.group, *addons.addons, storage]


def _pools(
    config: PlatformConfig, cluster: Cluster, karpenter: Karpenter, opts: pulumi.ResourceOptions
) -> list[pulumi.Resource]:
    return [
        NodePool(
            name,
            config=pool,
            cluster=cluster.cluster_name,
            node_role=karpenter.node_role_name,
            depends_on=karpenter.ready,
            opts=opts,
        )
        for name, pool in {**config.gpu_pools, **config.cpu_pools}.items()
    ]


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
        opts=opts,
    ).urls


def role_arn(name: str, *, region: str, account: pulumi.Output[str]) -> pulumi.Output[str]:
    """ARN of an IAM role of this account, out of its name (with path)."""
    return pulumi.Output.concat(f"arn:{partition_of(region)}:iam::", account, f":role/{name}")


def given(value: T | None) -> T:
    """What the rules of a stack file say is there."""
    if value is None:
        raise AssertionError("infra/rules.py let a stack file pass that lacks what EKS needs")
    return value
