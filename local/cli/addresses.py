"""Where the running platform can be reached, read from the API server's Services."""

from typing import Any

from local.kube import KubeClient
from local.paths import State

SERVICES = (
    ("gateway", "ai-gateway", "ai-gateway", ""),
    ("traces", "observability", "traces", "/"),
    ("prometheus", "observability", "prometheus", "/graph"),
)


def addresses(state: State, client: KubeClient) -> dict[str, str]:
    """URLs of what a person opens, and the kubeconfig; parts that the stack lacks are left out."""
    found = {
        (item["metadata"]["namespace"], item["metadata"]["name"]): item
        for item in client.list("v1", "Service")
    }
    result = {
        title: _url(found[(namespace, name)]) + path
        for title, namespace, name, path in SERVICES
        if (namespace, name) in found
    }
    return result | {"kubeconfig": str(state.kubeconfig)}


def _url(service: dict[str, Any]) -> str:
    ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress") or [{}]
    host = ingress[0].get("ip") or ingress[0].get("hostname") or service["spec"]["clusterIP"]
    return f"http://{host}:{service['spec']['ports'][0]['port']}"
