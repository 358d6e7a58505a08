"""The APIs that other programs serve behind the API server, and the kind of kwok's node classes."""

import base64
from collections.abc import Iterator

from local.kube import Manifest
from tests.scaling.controllers import KEDA_NAMESPACE, KEDA_SERVICE_NAME


def aggregated_apis(authority: str, adapter_port: int, metrics_port: int) -> Iterator[Manifest]:
    """Services and APIServices of KEDA's adapter and of `metrics.k8s.io`."""
    yield from _api(
        "v1beta1.external.metrics.k8s.io",
        KEDA_NAMESPACE,
        KEDA_SERVICE_NAME,
        adapter_port,
        authority,
    )
    yield from _api(
        "v1beta1.metrics.k8s.io", "kube-system", "metrics-server", metrics_port, authority
    )


def _api(name: str, namespace: str, service: str, port: int, authority: str) -> Iterator[Manifest]:
    version, group = name.split(".", 1)
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": service, "namespace": namespace},
        # Endpoints may not hold loopback addresses; the aggregator follows a name.
        "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]},
    }
    yield {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": name},
        "spec": {
            "group": group,
            "version": version,
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "caBundle": base64.b64encode(authority.encode()).decode(),
            "service": {"name": service, "namespace": namespace, "port": port},
        },
    }


def kwok_node_class_kind() -> Manifest:
    """The CRD of KWOKNodeClass, as far as Karpenter's provider reads it."""
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "Ready",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    status = anything | {
        "default": {"conditions": [ready]},
        "properties": {"conditions": {"type": "array", "items": anything}},
    }
    properties = {"spec": anything, "status": status}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "kwoknodeclasses.karpenter.kwok.sh"},
        "spec": {
            "group": "karpenter.kwok.sh",
            "scope": "Cluster",
            "names": {
                "kind": "KWOKNodeClass",
                "listKind": "KWOKNodeClassList",
                "plural": "kwoknodeclasses",
                "singular": "kwoknodeclass",
            },
            "versions": [
                {
                    "name": "v1alpha1",
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}},
                }
            ],
        },
    }
