"""preStop hooks."""

import asyncio

from local.node_agent.objects import Manifest
from local.node_agent.probe_actions import ProbeTarget, attempt


async def run_hook(hook: Manifest, target: ProbeTarget, limit_seconds: float) -> str | None:
    """Carry out a lifecycle handler; None when it went well, else why not."""
    if pause := hook.get("sleep"):
        await asyncio.sleep(min(float(pause["seconds"]), limit_seconds))
        return None
    return await attempt(hook, target, limit_seconds)
