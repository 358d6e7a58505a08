"""What every component shares: the model of its configuration and the labels of its objects."""

from typing import Any

from inference.data import DataModel

PART_OF = "agentic-platform"
WAIT_FOR = "pulumi.com/waitFor"


class ConfigModel(DataModel):
    """Frozen data from a stack file: camelCase there, snake_case here, unknown keys refused."""


def standard_labels(name: str, *, component: str) -> dict[str, str]:
    """The recommended Kubernetes labels of one object; `component` is its layer."""
    return {
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/part-of": PART_OF,
        "app.kubernetes.io/managed-by": "pulumi",
    }


def metadata(
    name: str,
    *,
    component: str,
    namespace: Any = None,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    until: str | None = None,
) -> dict[str, Any]:
    """Object metadata with the standard labels; `namespace` is a string, an Output or None.

    `until` names the condition of its status for which `pulumi up` waits: of kinds that it does not
    know it believes that to exist is to be ready.
    """
    result: dict[str, Any] = {
        "name": name,
        "labels": standard_labels(name, component=component) | (labels or {}),
    }
    if namespace is not None:
        result["namespace"] = namespace
    annotations = (annotations or {}) | ({WAIT_FOR: f"condition={until}"} if until else {})
    if annotations:
        result["annotations"] = annotations
    return result
