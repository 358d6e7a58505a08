"""Security contexts that satisfy the Pod Security Standard `restricted`."""

from typing import Any

UNPRIVILEGED_USER = 65532


def restricted_pod(*, user: int = UNPRIVILEGED_USER) -> dict[str, Any]:
    """`spec.securityContext` of a Pod that runs as nobody in particular."""
    return {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": user,
        "fsGroup": user,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def restricted_container(*, read_only_root: bool = True) -> dict[str, Any]:
    """`securityContext` of a container without privileges, capabilities or a writable root."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": read_only_root,
    }
