"""The A2A library's JSON-RPC endpoint on the runs of this agent, both wire versions."""

from typing import Any

from a2a.auth.user import User
from a2a.server.context import ServerCallContext
from a2a.server.jsonrpc_models import InvalidParamsError, InvalidRequestError
from a2a.server.routes.common import DefaultServerCallContextBuilder
from a2a.server.routes.jsonrpc_dispatcher import JsonRpcDispatcher
from starlette.requests import Request
from starlette.responses import Response

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


class _Dispatcher(JsonRpcDispatcher):
    """Both wires; on 0.3 with the error that its specification has for malformed parameters."""

    def __init__(self, handler: RunTasks) -> None:
        super().__init__(
            request_handler=handler, context_builder=_ContextBuilder(), enable_v0_3_compat=True
        )
        adapter: Any = self._v03_adapter
        tell = adapter._generate_error_response  # the library has no hook for it

        def told(request_id: str | int | None, error: Any) -> Response:
            if isinstance(error, InvalidRequestError):
                # the envelope was checked before: what is wrong can only be in the parameters
                error = InvalidParamsError(data=error.data)
            answer: Response = tell(request_id, error)
            return answer

        adapter._generate_error_response = told  # the same


def dispatcher(surface: Surface) -> JsonRpcDispatcher:
    return _Dispatcher(RunTasks(surface))
