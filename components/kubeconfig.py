"""A kubeconfig for an EKS cluster that asks the AWS CLI for a token at each use."""

import json
from collections.abc import Mapping

CERTIFICATE_AUTHORITY = "certificate-authority-data"


def endpoint_of(kubeconfig: str) -> dict[str, str]:
    """`server` and `certificate-authority-data` out of a kubeconfig in JSON."""
    cluster = json.loads(kubeconfig)["clusters"][0]["cluster"]
    return {key: cluster[key] for key in ("server", CERTIFICATE_AUTHORITY)}


def exec_kubeconfig(
    endpoint: Mapping[str, str], *, cluster: str, region: str, role_arn: str
) -> str:
    """JSON kubeconfig; it holds no credential, and names region and role explicitly.

    Any caller that may assume the role can use it: a profile, OIDC in CI, an instance role.
    """
    arguments = ["eks", "get-token", "--cluster-name", cluster, "--region", region]
    user = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "command": "aws",
            "args": [*arguments, "--role-arn", role_arn, "--output", "json"],
            "interactiveMode": "Never",
        }
    }
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster, "cluster": dict(endpoint)}],
        "users": [{"name": cluster, "user": user}],
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": cluster}}],
        "current-context": cluster,
    }
    return json.dumps(document)
