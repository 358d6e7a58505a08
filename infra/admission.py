"""The wiring of the policies that the API server holds everybody to."""

import pulumi

from components.admission_policies import ADMISSION_LABEL, AdmissionPolicies
from components.image_build_config import OWN_REGISTRY
from components.namespace import NamespaceConfig
from infra.config import PlatformConfig
from infra.foundation import Foundation


def admission_policies(config: PlatformConfig, foundation: Foundation) -> list[pulumi.Resource]:
    """What must be there before the first Pod of the platform."""
    if config.admission_policies is None:
        return []
    return [
        AdmissionPolicies(
            "admission-policies",
            config=config.admission_policies,
            registries=_registries(config, foundation),
            opts=foundation.in_cluster,
        )
    ]


def under_policies(settings: NamespaceConfig) -> NamespaceConfig:
    """The namespace with the label by which the policies find it."""
    labels = {ADMISSION_LABEL: "platform"} | settings.labels
    return settings.model_copy(update={"labels": labels})


def _registries(config: PlatformConfig, foundation: Foundation) -> list[pulumi.Input[str]]:
    """The mirror and the stack's own ECR; none where images come from anywhere."""
    policies = config.admission_policies
    if not config.image_mirror and not (policies and policies.registries):
        return []
    mirror = config.image_mirror if config.image_mirror != OWN_REGISTRY else None
    own = [foundation.on_aws.registry_host] if foundation.on_aws else []
    return [*([mirror] if mirror else []), *own]
