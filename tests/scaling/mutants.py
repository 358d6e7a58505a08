"""Edits of stack data, each of which breaks a rule that the tests assert."""

import copy
from typing import Any

from tests.scaling.catalogue import price

GPU_POOL = "gpu-inference-pool"
MUTANT_POOL = "gpu-pool-mutant"
FIRST, THEN = "spot-first", "on-demand-then"
MUTANT_FIRST, MUTANT_THEN = "spot-first-mutant", "on-demand-then-mutant"
WEIGHTS_LABEL = "agentic.dev/weights"
WEIGHTS = {FIRST: 100, THEN: 10, MUTANT_FIRST: 10, MUTANT_THEN: 100}
MUTANT_TENANT = "tenant-mutant"
SCALER = "agent-scaler"
MUTANT_QUEUE = "mutant-queue"


def edit(data: dict[str, Any]) -> None:
    """More pools made from the GPU pool; that one's budget, and the bounds of the scaler."""
    pools = data["gpuPools"]
    real = pools[GPU_POOL]
    pools[MUTANT_POOL] = _everything_changed(real)
    for name, weight in WEIGHTS.items():
        first = name in (FIRST, MUTANT_FIRST)
        pools[name] = _own_class(real, name) | {
            "capacityTypes": ["spot" if first else "on-demand"],
            "limits": {"nvidia.com/gpu": "16" if first else "64"},
            "weight": weight,
            "labels": {WEIGHTS_LABEL: "real" if name in (FIRST, THEN) else "mutant"},
        }
    # the pool whose nodes may never go
    pools[MUTANT_THEN]["disruption"] = real["disruption"] | {"budgets": [{"nodes": "0"}]}
    real["disruption"]["budgets"] = [{"nodes": "100%"}]
    data["scalers"][SCALER] |= {
        "minReplicas": 1,
        "maxReplicas": 10,
        "queue": MUTANT_QUEUE,
    }


def edit_tenant(data: dict[str, Any]) -> None:
    """Twice the GPUs."""
    data["tenant"]["name"] = MUTANT_TENANT
    data["tenant"]["quota"]["requests.nvidia.com/gpu"] = "8"


def _everything_changed(pool: dict[str, Any]) -> dict[str, Any]:
    """Limit 128, no cheapest type, budget 100 %, no quiet time: a mutant of four rules at once."""
    cheapest = min(pool["instanceTypes"], key=lambda name: price(name, "spot"))
    return _own_class(pool, MUTANT_POOL) | {
        "instanceTypes": [name for name in pool["instanceTypes"] if name != cheapest],
        "limits": {"nvidia.com/gpu": "128"},
        "disruption": pool["disruption"]
        | {"consolidateAfter": "0s", "budgets": [{"nodes": "100%"}]},
    }


def _own_class(pool: dict[str, Any], name: str) -> dict[str, Any]:
    """A copy; two pools of a stack may not share the name of a node class."""
    found = copy.deepcopy(pool)
    found["nodeClass"]["name"] = f"{name}-class"
    return found
