"""The HTTP application of one agent."""

from fastapi import FastAPI

from agent_runtime.api import a2a, approvals, openai, responses, sessions, tasks
from agent_runtime.api.direct import DirectApp
from agent_runtime.api.error_answer import add_error_handlers
from agent_runtime.api.openapi import OPENAPI, documented_app
from agent_runtime.api.surface import Surface
from agent_runtime.assembly import AgentRuntime


def build_app(runtime: AgentRuntime) -> FastAPI:
    """All surfaces of `runtime`; each tells errors in its own protocol."""
    surface = Surface(runtime)
    app = DirectApp(
        {openai.CHAT_PATH: openai.chat_handler(surface)},
        max_bytes=runtime.settings.max_body_bytes,
        title=runtime.name,
        description=runtime.document.spec.description or f"The agent {runtime.name}.",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url=OPENAPI,
    )
    for module in (openai, responses, tasks, sessions, approvals, a2a):
        app.include_router(module.router(surface))
    add_error_handlers(app)
    documented_app(app)
    return app
