"""Running a container's probes for as long as it lives, and telling what they found."""

import asyncio
from typing import Protocol

from local.node_agent.objects import Manifest
from local.node_agent.probe_actions import ProbeTarget, attempt
from local.node_agent.probe_state import ProbeSpec, ProbeState


class Probed(Protocol):
    """What a container does about its probes."""

    def probe_started(self) -> None:
        """The startup probe passed, or there is none."""

    def probe_ready(self, *, ready: bool) -> None:
        """Readiness was decided anew."""

    def probe_failing(self, kind: str, reason: str) -> None:
        """One attempt failed after the early ones."""

    async def probe_kill(self, kind: str, grace_seconds: float | None) -> None:
        """A startup or liveness probe has failed for good."""


async def probe(container: Manifest, target: ProbeTarget, probed: Probed) -> None:
    """Runs until it is cancelled, or a failed probe has had the container killed."""
    startup = ProbeSpec.of(container, "startup")
    if startup and not await _until_decided(startup, target, probed):
        await probed.probe_kill("Startup", startup.grace_seconds)
        return
    probed.probe_started()
    readiness = ProbeSpec.of(container, "readiness")
    liveness = ProbeSpec.of(container, "liveness")
    if readiness is None:
        probed.probe_ready(ready=True)
    async with asyncio.TaskGroup() as group:
        if readiness:
            group.create_task(_follow_readiness(readiness, target, probed))
        if liveness:
            group.create_task(_follow_liveness(liveness, target, probed))


async def _until_decided(spec: ProbeSpec, target: ProbeTarget, probed: Probed) -> bool:
    state = ProbeState(spec)
    await asyncio.sleep(spec.initial_delay_seconds)
    while True:
        await _once(state, target, probed)
        if state.passing is not None:
            return state.passing
        await asyncio.sleep(state.delay())


async def _follow_readiness(spec: ProbeSpec, target: ProbeTarget, probed: Probed) -> None:
    state = ProbeState(spec)
    await asyncio.sleep(spec.initial_delay_seconds)
    while True:
        if await _once(state, target, probed):
            probed.probe_ready(ready=bool(state.passing))
        await asyncio.sleep(state.delay())


async def _follow_liveness(spec: ProbeSpec, target: ProbeTarget, probed: Probed) -> None:
    state = ProbeState(spec)
    await asyncio.sleep(spec.initial_delay_seconds or spec.period_seconds)
    while True:
        await _once(state, target, probed)
        if state.passing is False:
            await probed.probe_kill("Liveness", spec.grace_seconds)
            return
        await asyncio.sleep(state.delay())


async def _once(state: ProbeState, target: ProbeTarget, probed: Probed) -> bool:
    reason = await attempt(state.spec.action, target, state.spec.timeout_seconds)
    changed = state.observe(success=reason is None)
    if reason is not None and state.counted:
        probed.probe_failing(state.spec.kind.capitalize(), reason)
    return changed
