"""What the API server itself refuses, as ValidatingAdmissionPolicies: pure data with CEL.

None of them looks at a deletion, and those that look at updates do so only where the looked-at part
changes: an object from before a policy can always be taken apart.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from components.base import metadata
from components.traffic import TENANT_LABEL

PolicyName = Literal[
    "image-exact",
    "image-registry",
    "container-resources",
    "do-not-disrupt",
    "account-token",
    "tenant-service",
    "tenant-scheduling",
]
API_VERSION = "admissionregistration.k8s.io/v1"
POLICY = "ValidatingAdmissionPolicy"
GPU_TAINT = "nvidia.com/gpu"
DO_NOT_DISRUPT = "karpenter.sh/do-not-disrupt"
CHANGED_SPEC = "oldObject == null || object.spec != oldObject.spec"
CREATED = ("CREATE",)
WRITTEN = ("CREATE", "UPDATE")


class AdmissionRule(NamedTuple):
    """One policy without its name; `tenants` ones hold in tenants' namespaces alone."""

    says: str
    resources: tuple[str, ...]
    operations: tuple[str, ...]
    validations: tuple[tuple[str, str], ...]
    """CEL that must be true, and CEL of the words to whom it isn't."""
    variables: Mapping[str, str] = {}
    condition: str = ""
    tenants: bool = False


def text(value: str) -> str:
    """A CEL string literal."""
    return json.dumps(value)


def listed(values: Sequence[str]) -> str:
    """A CEL list of strings."""
    return f"[{', '.join(map(text, values))}]"


IMAGES = (
    "object.spec.containers.map(c, c.?image.orValue(''))"
    " + object.spec.?initContainers.orValue([]).map(c, c.?image.orValue(''))"
    " + object.spec.?ephemeralContainers.orValue([]).map(c, c.?image.orValue(''))"
    " + object.spec.?volumes.orValue([]).filter(v, has(v.image)).map(v, v.image.reference)"
)
CONTAINERS = "object.spec.containers + object.spec.?initContainers.orValue([])"
POD_IMAGES = ("pods", "pods/ephemeralcontainers")


def image_exact(floating_tags: Sequence[str]) -> AdmissionRule:
    """An image has a digest, or a tag that nobody is used to move."""
    tags = listed([f":{tag}" for tag in floating_tags])
    exact = (
        "i.contains('@sha256:')"
        f" || (i.matches(':[A-Za-z0-9_][A-Za-z0-9_.-]*$') && !{tags}.exists(t, i.endsWith(t)))"
    )
    return AdmissionRule(
        "Every image is named by its digest or an exact tag.",
        POD_IMAGES,
        WRITTEN,
        (
            (
                "variables.loose.size() == 0",
                "'image ' + variables.loose.join(', ') + ': digest, or a tag of one version'",
            ),
        ),
        {"loose": f"({IMAGES}).filter(i, !({exact}))"},
        CHANGED_SPEC,
    )


def image_registry(prefixes: Sequence[str]) -> AdmissionRule:
    """Images come from nowhere else."""
    inside = f"{listed([f'{it}/' for it in prefixes])}.exists(p, i.startsWith(p))"
    allowed = text(", ".join(prefixes))
    return AdmissionRule(
        "Every image comes from a registry of the platform.",
        POD_IMAGES,
        WRITTEN,
        (
            (
                "variables.foreign.size() == 0",
                f"'image ' + variables.foreign.join(', ') + ': allowed are those of ' + {allowed}",
            ),
        ),
        {"foreign": f"({IMAGES}).filter(i, !{inside})"},
        CHANGED_SPEC,
    )


def container_resources() -> AdmissionRule:
    """What no LimitRange filled in must be stated."""
    states = " && ".join(
        f"c.?resources.?{kind}[?'{of}'].hasValue()"
        for kind, of in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory"))
    )
    names = "variables.silent.map(c, c.name).join(', ')"
    return AdmissionRule(
        "Every container has requests of CPU and memory, and a limit of memory.",
        ("pods",),
        CREATED,
        (
            (
                "variables.silent.size() == 0",
                f"'container ' + {names} + ': state requests.cpu, requests.memory, limits.memory'",
            ),
        ),
        {"silent": f"({CONTAINERS}).filter(c, !({states}))"},
    )


def do_not_disrupt(accounts: Sequence[str]) -> AdmissionRule:
    """One annotation keeps a node, however expensive, for as long as its Pod runs."""
    annotation = f".?annotations[?{text(DO_NOT_DISRUPT)}].orValue('')"
    return AdmissionRule(
        "Only named ServiceAccounts keep Karpenter from moving their Pods.",
        ("pods",),
        WRITTEN,
        (
            (
                f"variables.account in {listed(accounts)}",
                f"'annotation {DO_NOT_DISRUPT}: ServiceAccount ' + variables.account + "
                "' is not among undisturbedAccounts of the platform'",
            ),
        ),
        {"account": "request.namespace + '/' + object.spec.?serviceAccountName.orValue('default')"},
        f"object.metadata{annotation} == 'true' && "
        f"(oldObject == null || oldObject.metadata{annotation} != 'true')",
    )


def account_token() -> AdmissionRule:
    """Tokens are projected into Pods, for a while and one audience; none lies in a Secret."""
    return AdmissionRule(
        "No token of a ServiceAccount lies in a Secret.",
        ("secrets",),
        CREATED,
        (
            (
                "object.?type.orValue('') != 'kubernetes.io/service-account-token'",
                "'type kubernetes.io/service-account-token: such a token never ends; mount a "
                "projected one (volumes.projected.sources.serviceAccountToken)'",
            ),
        ),
    )


def tenant_service() -> AdmissionRule:
    """The gateway is the only door: it knows who asks, counts and writes it down."""
    return AdmissionRule(
        "A tenant opens no door of its own.",
        ("services",),
        WRITTEN,
        (
            (
                "!(object.spec.?type.orValue('ClusterIP') in ['LoadBalancer', 'NodePort'])",
                "'type ' + object.spec.type + ': use ClusterIP, and a route of the gateway'",
            ),
            (
                "object.spec.?externalIPs.orValue([]).size() == 0",
                "'externalIPs ' + object.spec.externalIPs.join(', ') + ': leave them out'",
            ),
        ),
        condition=CHANGED_SPEC,
        tenants=True,
    )


def tenant_scheduling(classes: Sequence[str], taints: Sequence[str]) -> AdmissionRule:
    """A tenant's Pods wait their turn, on nodes that are theirs or everybody's."""
    gpus = (
        "object.spec.containers.exists(c, c.?resources.?limits.orValue({}).exists(k, "
        "k.startsWith('nvidia.com/') && "
        "quantity(c.resources.limits[k]).isGreaterThan(quantity('0'))))"
        " || object.spec.?resourceClaims.orValue([]).size() > 0"
    )
    known = (
        "t.?key.orValue('').startsWith('node.kubernetes.io/')"
        f" || t.?key.orValue('') in {listed(taints)}"
        f" || (t.?key.orValue('') == {text(GPU_TAINT)} && variables.gpus)"
        f" || (t.?key.orValue('') == {text(TENANT_LABEL)}"
        " && t.?operator.orValue('Equal') == 'Equal' && t.?value.orValue('') == variables.tenant)"
    )
    strange = "variables.strange.map(t, t.?key.orValue('of everything')).join(', ')"
    return AdmissionRule(
        "A tenant's Pods take no other's place.",
        ("pods",),
        # a Pod that waits for its scheduling gates may be given tolerations meanwhile
        WRITTEN,
        (
            (
                f"object.spec.?priorityClassName.orValue('') in {listed(['', *classes])}",
                "'priorityClassName ' + object.spec.priorityClassName + ': allowed are ' + "
                f"{text(', '.join(classes))}",
            ),
            (
                "variables.strange.size() == 0",
                f"'toleration ' + {strange} + ': allowed are those of own nodes, and "
                f"{GPU_TAINT} for Pods with a GPU'",
            ),
            (
                "request.operation != 'CREATE' || object.spec.?nodeName.orValue('') == ''",
                "'nodeName ' + object.spec.nodeName + ': leave the choice to the scheduler'",
            ),
        ),
        {
            "tenant": f"namespaceObject.metadata.labels[{text(TENANT_LABEL)}]",
            "gpus": gpus,
            "strange": f"object.spec.?tolerations.orValue([]).filter(t, !({known}))",
        },
        CHANGED_SPEC,
        tenants=True,
    )


def policy_manifest(name: str, rule: AdmissionRule) -> dict[str, Any]:
    """The policy; it holds nowhere until a binding says so."""
    spec: dict[str, Any] = {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": [
                {
                    "apiGroups": [""],
                    "apiVersions": ["v1"],
                    "operations": [*rule.operations],
                    "resources": [*rule.resources],
                }
            ]
        },
        "variables": [{"name": key, "expression": cel} for key, cel in rule.variables.items()],
        "validations": [
            {"expression": cel, "messageExpression": words, "message": rule.says}
            for cel, words in rule.validations
        ],
    }
    if rule.condition:
        spec["matchConditions"] = [{"name": "changes-it", "expression": rule.condition}]
    return {
        "apiVersion": API_VERSION,
        "kind": POLICY,
        "metadata": metadata(
            name, component="admission", annotations={"agentic.dev/says": rule.says}
        ),
        "spec": spec,
    }
