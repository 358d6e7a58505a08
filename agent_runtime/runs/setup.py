"""Puts stores, workers and services together for one process."""

from collections.abc import Callable
from typing import Protocol

from agent_runtime.runs.fallback import FallbackRuns
from agent_runtime.runs.faults import Faults
from agent_runtime.runs.in_process import InProcessRuns
from agent_runtime.runs.port import RunService
from agent_runtime.runs.service import Runs
from agent_runtime.runs.store import RunStore
from agent_runtime.runs.worker import Execution, Worker
from agent_runtime.settings import Settings
from agent_runtime.telemetry.metrics import Metrics

Executions = Callable[[tuple[str, ...]], Execution]
"""Makes what works on runs; the argument is what it has to do without."""


class RunningService(RunService, Protocol):
    """A RunService with its life: `start` before, `drain` then `close` after serving."""

    async def start(self) -> None: ...

    async def drain(self, seconds: float) -> None: ...

    async def close(self) -> None: ...


def build_runs(
    settings: Settings,
    executions: Executions,
    *,
    store: RunStore | None,
    required: bool,
    metrics: Metrics,
) -> RunningService:
    """Without a `store` runs live in this process; `required` False: also while it is away."""

    def runs(store: RunStore, degraded: tuple[str, ...], *, alone: bool) -> Runs:
        faults = Faults(settings.fault)
        worker = Worker(
            store,
            executions(degraded),
            metrics=metrics,
            faults=faults,
            max_runs=settings.max_runs,
            lease_seconds=settings.lease_seconds,
        )
        return Runs(
            store,
            worker,
            executes=alone or settings.role == "all",
            takes=alone or settings.role != "api",
            on_busy=settings.on_busy,
            faults=faults,
        )

    if store is None:
        return runs(InProcessRuns(), (), alone=True)
    stored = runs(store, (), alone=False)
    if required:
        return stored
    return FallbackRuns(stored, runs(InProcessRuns(), ("memory",), alone=True))
