"""A Deployment's Pod as the API server would admit it: Deployments themselves are not checked."""

from typing import Any

from tests.harness.api_server import ApiServer


def admit_pod(api_server: ApiServer, deployment: dict[str, Any], *, level: str) -> dict[str, Any]:
    """Dry-run the template's Pod in a namespace that enforces the Pod Security level."""
    namespace = f"pods-{level}"
    api_server.namespace(namespace, {"pod-security.kubernetes.io/enforce": level})
    template = deployment["spec"]["template"]
    spec = dict(template["spec"])
    # Account and class are made with the real platform; who admits the Pod is not its business.
    spec.pop("serviceAccountName", None)
    spec.pop("priorityClassName", None)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": deployment["metadata"]["name"],
            "namespace": namespace,
            "labels": template["metadata"]["labels"],
        },
        "spec": spec,
    }
    return api_server.dry_run(pod)
