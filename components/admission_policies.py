"""The platform's rules at the door of the cluster, for everybody who may write there."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, Literal

import pulumi
from pydantic import Field, StringConstraints

from components.admission_rules import (
    API_VERSION,
    POLICY,
    AdmissionRule,
    PolicyName,
    account_token,
    container_resources,
    do_not_disrupt,
    image_exact,
    image_registry,
    policy_manifest,
    tenant_scheduling,
    tenant_service,
)
from components.base import ConfigModel, metadata
from components.kubernetes_object import kubernetes_object
from components.traffic import TENANT_LABEL

ADMISSION_LABEL = "agentic.dev/admission"
"""On the namespaces in which the policies hold; charts' own namespaces have none."""
FLOATING_TAGS = ("latest", "main", "master", "edge", "nightly", "stable")
NAME_PREFIX = "agentic-"

Action = Literal["Deny", "Warn", "Audit"]
Namespace = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
Account = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][-a-z0-9]*/[a-z0-9][-a-z0-9.]*$")]
Registry = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]+(:\d+)?(/[\w.-]+)*$")]


class AdmissionPolicyConfig(ConfigModel):
    """How one policy is applied."""

    action: Action = "Deny"
    """`Deny` refuses; `Warn` tells who writes, and the audit log; `Audit` the log alone."""
    exempt_namespaces: tuple[Namespace, ...] = ()
    """Where it does not hold."""


DEFAULT_POLICIES: Mapping[PolicyName, AdmissionPolicyConfig] = MappingProxyType(
    {
        "image-exact": AdmissionPolicyConfig(),
        "image-registry": AdmissionPolicyConfig(),
        # The charts of stores and monitors decide what their own containers ask for.
        "container-resources": AdmissionPolicyConfig(
            exempt_namespaces=("ai-data", "observability")
        ),
        "do-not-disrupt": AdmissionPolicyConfig(),
        "account-token": AdmissionPolicyConfig(),
        "tenant-service": AdmissionPolicyConfig(),
        "tenant-scheduling": AdmissionPolicyConfig(),
    }
)


class AdmissionPoliciesConfig(ConfigModel):
    """What the API server refuses in the namespaces of the platform and of its tenants."""

    policies: dict[PolicyName, AdmissionPolicyConfig] = Field(default_factory=dict)
    """Policies that are applied otherwise than by default, which is: `Deny`, in every namespace of
    the platform and its tenants (`container-resources` not in ai-data and observability)."""
    registries: tuple[Registry, ...] = ()
    """Registries, with a folder if need be, that images may come from, besides `imageMirror` and
    the stack's own ECR. Without these and without a mirror, images come from anywhere."""
    floating_tags: tuple[str, ...] = FLOATING_TAGS
    """Tags that are refused because they move."""
    undisturbed_accounts: tuple[Account, ...] = ()
    """ServiceAccounts, as `namespace/name`, whose Pods may keep their node
    (`karpenter.sh/do-not-disrupt`)."""
    tenant_priority_classes: tuple[str, ...] = ("agentic-agents", "agentic-batch")
    """PriorityClasses that tenants' Pods may have; none at all is always allowed."""
    tenant_taints: tuple[str, ...] = ()
    """Keys of further taints that tenants' Pods may tolerate."""


def rules(
    config: AdmissionPoliciesConfig, registries: Sequence[str]
) -> dict[PolicyName, AdmissionRule]:
    """The policies in force; without any registry that one is left out."""
    found: dict[PolicyName, AdmissionRule] = {
        "image-exact": image_exact(config.floating_tags),
        "container-resources": container_resources(),
        "do-not-disrupt": do_not_disrupt(config.undisturbed_accounts),
        "account-token": account_token(),
        "tenant-service": tenant_service(),
        "tenant-scheduling": tenant_scheduling(
            config.tenant_priority_classes, config.tenant_taints
        ),
    }
    return found | ({"image-registry": image_registry(registries)} if registries else {})


def binding_manifest(name: str, config: AdmissionPolicyConfig, *, tenants: bool) -> dict[str, Any]:
    """Where a policy holds, and what it does there."""
    label = TENANT_LABEL if tenants else ADMISSION_LABEL
    where: list[dict[str, Any]] = [{"key": label, "operator": "Exists"}]
    if config.exempt_namespaces:
        exempt = [*config.exempt_namespaces]
        where.append({"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": exempt})
    actions = {"Deny": ["Deny"], "Warn": ["Warn", "Audit"], "Audit": ["Audit"]}
    return {
        "apiVersion": API_VERSION,
        "kind": f"{POLICY}Binding",
        "metadata": metadata(name, component="admission"),
        "spec": {
            "policyName": name,
            "validationActions": actions[config.action],
            "matchResources": {"namespaceSelector": {"matchExpressions": where}},
        },
    }


def admission_manifests(
    config: AdmissionPoliciesConfig, registries: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Each policy and its binding."""
    manifests = []
    for name, rule in rules(config, registries).items():
        settings = config.policies.get(name, DEFAULT_POLICIES[name])
        full = f"{NAME_PREFIX}{name}"
        manifests.append(policy_manifest(full, rule))
        manifests.append(binding_manifest(full, settings, tenants=rule.tenants))
    return manifests


class AdmissionPolicies(pulumi.ComponentResource):
    """Policies that the API server holds everybody to; it needs no controller and no webhook."""

    def __init__(
        self,
        name: str,
        *,
        config: AdmissionPoliciesConfig,
        registries: Sequence[pulumi.Input[str]] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`registries`: the stack's own; those of `config` come on top where there is any."""
        super().__init__("agentic:ground:AdmissionPolicies", name, None, opts)
        wanted: list[pulumi.Input[str]] = [*config.registries, *registries]
        for manifest in admission_manifests(config, ["to.be.known"] if wanted else []):
            kubernetes_object(
                f"{manifest['metadata']['name']}-{manifest['kind'].lower()}",
                _of_registries(manifest, wanted),
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})


def _of_registries(
    manifest: dict[str, Any], registries: Sequence[pulumi.Input[str]]
) -> dict[str, Any]:
    """The manifest; that of the policy of registries with their names, which may be Outputs."""
    name: PolicyName = "image-registry"
    full = f"{NAME_PREFIX}{name}"
    if manifest["kind"] != POLICY or manifest["metadata"]["name"] != full:
        return manifest
    known = [it for it in registries if isinstance(it, str)]
    if len(known) == len(registries):
        return policy_manifest(full, image_registry(known))
    spec = pulumi.Output.all(*registries).apply(
        lambda names: policy_manifest(full, image_registry(names))["spec"]
    )
    return manifest | {"spec": spec}
