"""The A2A library's JSON-RPC endpoint on the runs of this agent, both wire versions."""

from a2a.auth.user import User
from a2a.server.context import ServerCallContext
from a2a.server.routes.common import DefaultServerCallContextBuilder
from a2a.server.routes.jsonrpc_dispatcher import JsonRpcDispatcher
from starlette.requests import Request

from agent_runtime.api.a2a_handler import RunTasks
from agent_runtime.api.surface import Surface
from agent_runtime.auth import Identity


class _Caller(User):
    """The verified caller."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    @property
    def is_authenticated(self) -> bool:
        return True

    @property
    def user_name(self) -> str:
        return f"{self._identity.tenant}/{self._identity.user}"


class _ContextBuilder(DefaultServerCallContextBuilder):
    """Carries the identity that the route verified into the library's context."""

    def build(self, request: Request) -> ServerCallContext:
        context = super().build(request)
        context.state["identity"] = request.state.identity
        return context

    def build_user(self, request: Request) -> User:
        return _Caller(request.state.identity)


def dispatcher(surface: Surface) -> JsonRpcDispatcher:
    return JsonRpcDispatcher(
        request_handler=RunTasks(surface),
        context_builder=_ContextBuilder(),
        enable_v0_3_compat=True,
    )
