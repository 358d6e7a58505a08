"""What goes wrong with a run, as A2A's errors."""

import functools
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from typing import Any, ParamSpec, TypeVar

from a2a.utils.errors import (
    A2AError,
    InternalError,
    InvalidParamsError,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)

from agent_runtime.errors import RequestError, unexpected
from agent_runtime.memory.ports import MemoryUnavailableError

_BY_CODE: dict[str, type[A2AError]] = {
    "run_ended": TaskNotCancelableError,
    "not_waiting": UnsupportedOperationError,
    "approval_not_found": InvalidParamsError,
}
_log = logging.getLogger(__name__)

Given = ParamSpec("Given")
Answer = TypeVar("Answer")


def a2a_error(error: Exception) -> A2AError:
    """What a caller is told of any exception; a defect's words stay in the log."""
    if isinstance(error, A2AError):
        return error
    if isinstance(error, MemoryUnavailableError):
        error = RequestError(503, "memory_unavailable", str(error), retry_after_seconds=5)
    if not isinstance(error, RequestError):
        _log.error("A2A request failed", exc_info=error)
        error = unexpected()
    kind = _BY_CODE.get(error.code)
    if kind is None and error.status == 404:
        kind = TaskNotFoundError
    if kind is None:
        kind = InvalidParamsError if error.status < 429 else InternalError
    data: dict[str, object] = {"code": error.code, "status": error.status}
    if error.retry_after_seconds is not None:
        data["retryAfterSeconds"] = error.retry_after_seconds
    return kind(error.message, data=data)


def told(
    method: Callable[Given, Coroutine[Any, Any, Answer]],
) -> Callable[Given, Coroutine[Any, Any, Answer]]:
    """A method whose exceptions are all A2A's."""

    @functools.wraps(method)
    async def guarded(*args: Given.args, **kwargs: Given.kwargs) -> Answer:
        try:
            return await method(*args, **kwargs)
        except Exception as error:  # the library would tell its text to the caller
            raise a2a_error(error) from error

    return guarded


def told_stream(
    method: Callable[Given, AsyncGenerator[Answer]],
) -> Callable[Given, AsyncGenerator[Answer]]:
    """A generator whose exceptions are all A2A's."""

    @functools.wraps(method)
    async def guarded(*args: Given.args, **kwargs: Given.kwargs) -> AsyncGenerator[Answer]:
        try:
            async with aclosing(method(*args, **kwargs)) as events:
                async for event in events:
                    yield event
        except Exception as error:  # the library would tell its text to the caller
            raise a2a_error(error) from error

    return guarded
