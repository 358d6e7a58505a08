"""Admission webhooks that nobody answers: with one of them every later deletion is refused."""

from collections.abc import Iterator
from typing import Any

from components.drain import Kind, Listed, Manifest

VALIDATING = Kind(
    "admissionregistration.k8s.io/v1",
    "ValidatingWebhookConfiguration",
    "validatingwebhookconfigurations",
)
MUTATING = Kind(
    "admissionregistration.k8s.io/v1",
    "MutatingWebhookConfiguration",
    "mutatingwebhookconfigurations",
)
ENDPOINT_SLICE = Kind("discovery.k8s.io/v1", "EndpointSlice", "endpointslices", namespaced=True)
KINDS = (VALIDATING, MUTATING, ENDPOINT_SLICE)
SERVICE_LABEL = "kubernetes.io/service-name"


def dead_webhooks(listed: Listed) -> list[tuple[Kind, Manifest]]:
    """Configurations that refuse what they are asked about, as no Pod is behind any of them.

    A Pod that is not ready counts as one: it is starting. So does an address outside the cluster.
    """
    alive = set(_services_with_pods(listed))
    return [
        (kind, each)
        for kind in (VALIDATING, MUTATING)
        for each in listed.get(kind, ())
        if _refuses(each) and not any(_answered(hook, alive) for hook in each["webhooks"])
    ]


def _services_with_pods(listed: Listed) -> Iterator[tuple[str, str]]:
    for each in listed.get(ENDPOINT_SLICE, ()):
        name = (each["metadata"].get("labels") or {}).get(SERVICE_LABEL)
        if name and each.get("endpoints"):
            yield each["metadata"]["namespace"], name


def _refuses(configuration: Manifest) -> bool:
    hooks = configuration.get("webhooks") or []
    return any(it.get("failurePolicy", "Fail") == "Fail" for it in hooks)


def _answered(hook: dict[str, Any], alive: set[tuple[str, str]]) -> bool:
    service = hook["clientConfig"].get("service")
    return service is None or (service["namespace"], service["name"]) in alive
