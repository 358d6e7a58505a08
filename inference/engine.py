"""How one process serves one model: what every engine's module answers in the same form."""

from dataclasses import dataclass, field
from typing import Any

POD_IP = "$(POD_IP)"
"""Kubernetes puts the Pod's address into arguments itself."""


@dataclass(frozen=True)
class Serving:
    """Command line, port and health of a model server's container."""

    command: tuple[str, ...]
    """Empty: the image's own entry point."""
    args: tuple[str, ...]
    port: int
    health_path: str = "/health"
    startup_seconds: int = 60
    """How long loading may take before the container counts as failed."""
    env: dict[str, str] = field(default_factory=dict)
    shared_memory: bool = False
    """Tensor-parallel workers exchange tensors through /dev/shm."""
    cache_dir: str | None = None
    """Where weights and compiled kernels are written."""


def probes(serving: Serving, *, port: str = "http") -> dict[str, Any]:
    """Container probes under which a model that is loading or busy is never killed.

    The startup probe holds the others back while weights load. Liveness tolerates two minutes of
    silence: a full queue delays the health route, and a restart would empty a warm cache.
    """
    check = {"httpGet": {"path": serving.health_path, "port": port}}
    period = 5 if serving.startup_seconds <= 120 else 10
    return {
        "startupProbe": check
        | {
            "periodSeconds": period,
            "failureThreshold": -(-serving.startup_seconds // period),
            "timeoutSeconds": 5,
        },
        "readinessProbe": check | {"periodSeconds": 5, "failureThreshold": 3, "timeoutSeconds": 5},
        "livenessProbe": check | {"periodSeconds": 20, "failureThreshold": 6, "timeoutSeconds": 10},
    }
