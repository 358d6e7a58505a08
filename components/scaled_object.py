"""Pieces of a ScaledObject (KEDA 2.20) that every scaler of the platform has."""

from typing import Any

KEDA = "keda.sh/v1alpha1"


def bounds(
    least: int, most: int, *, polling_seconds: int, cooldown_seconds: int, without_numbers: int
) -> dict[str, Any]:
    """Part of the spec: replicas, pace, and `without_numbers` Pods while a source of them is down.

    With more Pods running than that, these stay.
    """
    return {
        "minReplicaCount": least,
        "maxReplicaCount": most,
        "pollingInterval": polling_seconds,
        "cooldownPeriod": cooldown_seconds,
        "fallback": {
            "failureThreshold": 3,
            "replicas": without_numbers,
            "behavior": "currentReplicasIfHigher",
        },
    }


def prometheus_trigger(url: Any, query: str, threshold: float) -> dict[str, Any]:
    """One Pod for each `threshold` of what `query` gives; KEDA reads metadata as strings."""
    metadata = {"serverAddress": url, "query": query, "threshold": str(threshold)}
    return {"type": "prometheus", "metadata": metadata}
