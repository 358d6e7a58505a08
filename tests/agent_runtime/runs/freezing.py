"""Agents in this process that freeze where a fault would have killed them, and may revive.

To everybody else a frozen agent is a dead one: its loop stands still, so it renews no lease, writes
nothing and answers nobody. Unlike a dead one it may come back, as after a pause or a partition.
"""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from agent_runtime.runs import faults
from tests.agent_runtime.runs.effects import World, begin
from tests.harness.agent import RunningAgent, serving_agent

PATIENCE_SECONDS = 50.0
_STARTING = threading.Lock()


@contextmanager
def serving(document: str, **env: Any) -> Iterator[RunningAgent]:
    """One of several agents that are started side by side."""
    with ExitStack() as stack:
        with _STARTING:  # pydantic makes the schemas of an app without a lock
            agent = stack.enter_context(serving_agent(document, **env))
            # FastAPI makes those of its routes when it first looks through them
            httpx.get(f"{agent.url}/no-such-route", trust_env=False, timeout=60)
        yield agent


class Freezer:
    """Stands in for death; each point is that of one agent at a time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._reached: dict[str, threading.Event] = {}
        self._over: dict[str, threading.Event] = {}
        monkeypatch.setattr(faults, "die", self._freeze)

    def _freeze(self, point: str) -> None:
        self._reached[point].set()
        self._over[point].wait(PATIENCE_SECONDS)

    @contextmanager
    def begun(
        self, around: World, name: str, fault: str, text: str, **env: Any
    ) -> Iterator["Frozen"]:
        """An agent that was asked `text`, and froze at the fault; the last word is the key."""
        point = fault.partition(":")[0]
        self._reached[point], self._over[point] = threading.Event(), threading.Event()
        asking = ThreadPoolExecutor(1)
        document = around.named(name)
        with serving(document, **env, queue=name, fault=fault) as agent:
            try:
                asked = asking.submit(begin, agent.url, text, key=text.split()[-1])
                if not self._reached[point].wait(PATIENCE_SECONDS):
                    answer = asked.exception(0) if asked.done() else "no answer yet"
                    raise AssertionError(f"{point} was not reached: {answer}")
                yield Frozen(agent, asked, self._over[point])
            finally:
                self._over[point].set()
                asking.shutdown()


@dataclass(frozen=True)
class Frozen:
    """A frozen agent; `asked` becomes the id of its task once it answers."""

    agent: RunningAgent
    asked: "Future[str]"
    _over: threading.Event

    def revive(self) -> str:
        """Let it go on; the task's id as it told it."""
        self._over.set()
        return self.asked.result(PATIENCE_SECONDS)
