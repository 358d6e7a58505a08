"""The wiring of the ground: operators, namespaces, who may do what, secrets."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi

from components.access_control import AccessControl
from components.autoscaling_operator import AutoscalingOperator
from components.cert_manager import CertManager
from components.custom_resource_definitions import CustomResourceDefinitions
from components.gpu_claim import GpuClaims
from components.gpu_support import GpuSupport
from components.namespace import Namespace
from components.network_policy import NetworkPolicies
from components.priority_class import PriorityClasses
from components.secret_operator import SecretOperator
from components.secret_store import (
    DirectoryConfig,
    ExternalSecretsConfig,
    SecretStore,
)
from components.service_mesh import MeshDoors, ServiceMesh
from infra.admission import admission_policies, under_policies
from infra.config import CHECKOUT, PlatformConfig, given, state_path
from infra.foundation import Foundation
from infra.secret_entries import secret_entries

Namespaces = Mapping[str, pulumi.Output[str]]


def operators(config: PlatformConfig, foundation: Foundation) -> list[pulumi.Resource]:
    """What brings kinds of its own, or changes Pods as they start; workloads wait for all of it."""
    definitions = [
        CustomResourceDefinitions(name, bundle=name, opts=foundation.in_cluster)
        for name in config.definitions
    ]
    waits: list[pulumi.Resource] = [*foundation.ready, *definitions]
    opts = pulumi.ResourceOptions.merge(
        foundation.in_cluster, pulumi.ResourceOptions(depends_on=waits)
    )
    made: list[pulumi.Resource] = []
    if config.cert_manager:
        made.append(CertManager("cert-manager", config=config.cert_manager, opts=opts))
    if config.service_mesh:
        made.append(ServiceMesh("service-mesh", config=config.service_mesh, opts=opts))
    if config.secret_operator and isinstance(config.secrets, ExternalSecretsConfig):
        made.append(
            SecretOperator(
                "secret-operator",
                config=config.secret_operator,
                cluster_name=foundation.cluster_name,
                region=given(foundation.region),
                account=foundation.account,
                secret_prefix=config.secrets.prefix,
                key_arn=foundation.key_arns["storage"],
                opts=opts,
            )
        )
    if config.gpu_support:
        pools = foundation.offer.pools.values()
        GpuSupport(
            "gpu-support",
            config=config.gpu_support,
            sharings=[pool.sharing for pool in pools if pool.sharing is not None],
            efa_types=[each for pool in pools for each in pool.efa_types],
            auto_mode=foundation.offer.auto_mode,
            opts=opts,
        )
    if config.autoscaling_operator:
        keda = AutoscalingOperator("keda", config=config.autoscaling_operator, opts=opts)
        made.append(keda)
    classes = PriorityClasses(
        "priority", config=config.priority_classes, opts=foundation.in_cluster
    )
    # A Pod that names a class which is not there is refused.
    return [*waits, *made, classes, *admission_policies(config, foundation)]


def namespaces(
    config: PlatformConfig, foundation: Foundation, ready: list[pulumi.Resource]
) -> Namespaces:
    """The platform's namespaces; whatever goes into one waits for `ready`."""
    waiting = pulumi.ResourceOptions.merge(
        foundation.in_cluster, pulumi.ResourceOptions(depends_on=ready)
    )
    made: Namespaces = {
        name: Namespace(name, config=under_policies(settings), opts=waiting).namespace
        for name, settings in config.namespaces.items()
    }
    AccessControl(
        "access-control",
        config=config.access_control,
        namespace=made["ai-agents"],
        opts=foundation.in_cluster,
    )
    if config.gpu_support and config.gpu_support.allocation == "dra":
        GpuClaims(
            "gpu-claims",
            config=config.gpu_support.claims,
            namespace=made["ai-inference"],
            opts=foundation.in_cluster,
        )
    if config.network_policies:
        NetworkPolicies(
            "network-policies",
            config=config.network_policies,
            namespaces=made,
            opts=foundation.in_cluster,
        )
    if config.service_mesh:
        MeshDoors("mesh-doors", namespaces=made, opts=foundation.in_cluster)
    return made


def secrets_folder(config: PlatformConfig) -> Path | None:
    """Where the secret files lie; None where AWS keeps the secrets."""
    if not isinstance(config.secrets, DirectoryConfig):
        return None
    return CHECKOUT / state_path(config.secrets.directory)


def secrets(config: PlatformConfig, foundation: Foundation, namespaces: Namespaces) -> SecretStore:
    """Every Secret that some component of this stack mounts."""
    settings = config.secrets
    known = isinstance(settings, DirectoryConfig)
    change: dict[str, Any] = {"entries": secret_entries(config, known=known)}
    if isinstance(settings, DirectoryConfig):
        change["directory"] = state_path(settings.directory)
    return SecretStore(
        "secrets",
        config=settings.model_copy(update=change),
        namespaces=namespaces,
        root=CHECKOUT,
        opts=foundation.in_cluster,
    )
