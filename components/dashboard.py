"""Grafana dashboards: JSON files, delivered as the ConfigMaps that Grafana's sidecar collects."""

import json
from pathlib import Path
from typing import Any

from components.base import metadata

FOLDER = Path(__file__).parent / "dashboards"
DASHBOARDS = ("agent-overview", "llm-performance", "resource-usage", "cost-tracking")


def dashboard(name: str) -> dict[str, Any]:
    """The dashboard of that name."""
    loaded: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return loaded


def dashboard_manifest(name: str, *, namespace: Any) -> dict[str, Any]:
    """The ConfigMap of one dashboard, compact: the sidecar does not care for its layout."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(
            f"dashboard-{name}",
            component="observability",
            namespace=namespace,
            labels={"grafana_dashboard": "1"},
        ),
        "data": {f"{name}.json": json.dumps(dashboard(name), separators=(",", ":"))},
    }
