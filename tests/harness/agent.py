"""The agent runtime in this test process: real HTTP on a free port, its own event loop."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from agent_runtime.app import build_app
from agent_runtime.assembly import AgentRuntime, assemble
from agent_runtime.settings import Settings
from agents.document import AgentDocument, ToolDocument, load_documents, resolve_tools
from local.workloads.serving import listener

STOP_SECONDS = 20


@dataclass(frozen=True)
class RunningAgent:
    """An agent that listens on `url`."""

    url: str
    runtime: AgentRuntime

    @property
    def base_url(self) -> str:
        """What an OpenAI client takes as its base URL."""
        return f"{self.url}/v1"

    def metric(self, name: str, **labels: str) -> float:
        """A sample of the agent's metrics; 0 where it was never counted."""
        value = self.runtime.metrics.registry.get_sample_value(name, labels)
        return value or 0.0


@contextmanager
def serving_agent(documents: str, **settings: Any) -> Iterator[RunningAgent]:
    """Serve the one agent of a YAML text; settings are those of the environment contract."""
    loaded = load_documents(documents)
    (agent,) = (each for each in loaded if isinstance(each, AgentDocument))
    tools = resolve_tools(agent, [each for each in loaded if isinstance(each, ToolDocument)])
    bound = listener("127.0.0.1", 0)
    url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    chosen: Mapping[str, Any] = {"auth": "gateway", "public_url": f"{url}/", **settings}
    ready = threading.Event()
    served: list[tuple[AgentRuntime, uvicorn.Server]] = []

    async def serve() -> None:
        runtime = assemble(Settings(**chosen), agent, tools)
        config = uvicorn.Config(build_app(runtime), log_config=None, lifespan="off")
        server = uvicorn.Server(config)
        served.append((runtime, server))
        ready.set()
        try:
            await runtime.runs.start()
            await server.serve(sockets=[bound])
        finally:
            await runtime.close()
            runtime.tracing.shutdown()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(STOP_SECONDS)
    runtime, server = served[0]
    try:
        yield RunningAgent(url, runtime)
    finally:
        server.should_exit = True
        thread.join(STOP_SECONDS)
        bound.close()
    assert not thread.is_alive(), "the agent did not stop"
