"""What every route has at hand: who calls, which runs there are, and room for one more stream."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

from starlette.requests import Request

from agent_runtime.assembly import AgentRuntime
from agent_runtime.auth import Identity
from agent_runtime.errors import RequestError, invalid, unavailable
from agent_runtime.runs.port import Limits, RunService
from agent_runtime.tools.agent_chain import Chain

SESSION_HEADER = "x-session-id"
TRACE_HEADER = "x-trace-id"
KEY_HEADER = "idempotency-key"
_SESSION = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_BUSY_SECONDS = 2
NO_LIMITS = Limits()

Number = TypeVar("Number", int, float)


class Streams:
    """The answers that this process may serve at once; each of them holds a connection."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.open = 0

    def take(self) -> None:
        """Raises a 503 RequestError when there is no room: another replica may have some."""
        if self.open >= self._limit:
            raise unavailable(
                f"{self.open} answers are being streamed",
                code="busy",
                retry_after_seconds=_BUSY_SECONDS,
            )
        self.open += 1

    def give(self) -> None:
        self.open -= 1

    @contextmanager
    def one(self) -> Iterator[None]:
        self.take()
        try:
            yield
        finally:
            self.give()


class Surface:
    """The agent as its routes see it."""

    def __init__(self, runtime: AgentRuntime) -> None:
        self.runtime = runtime
        self.name = runtime.name
        self.streams = Streams(runtime.settings.max_streams)

    @property
    def remembers(self) -> bool:
        """Whether a session has a past."""
        return self.runtime.document.spec.memory is not None

    @property
    def runs(self) -> RunService:
        return self.runtime.runs

    async def caller(self, request: Request) -> Identity:
        """Raises a 401, 403 or 503 RequestError."""
        return await self.runtime.authenticator.identify(request.headers)

    def chain(self, headers: Mapping[str, str]) -> Chain:
        """The agents above this one, and what they have left. RequestError 508 for a circle."""
        runtime = self.runtime
        namespace = runtime.settings.namespace or runtime.document.metadata.namespace
        return Chain.from_headers(headers, own=f"{namespace}/{self.name}")


def checked_session(named: str | None, param: str = SESSION_HEADER) -> str | None:
    """A session's id as a caller names it."""
    if named is not None and not _SESSION.fullmatch(named):
        text = "a session id has 1 to 128 letters, digits or characters of . _ : -"
        raise invalid(text, param=param)
    return named


def idempotency_key(headers: Mapping[str, str]) -> str | None:
    """The key under which the same request, sent again, is the same run."""
    key = headers.get(KEY_HEADER)
    if key is not None and not _KEY.fullmatch(key):
        raise invalid("an idempotency key has 1 to 255 printable characters", param=KEY_HEADER)
    return key


def canceled() -> RequestError:
    """For a client that waits for the answer of a run that somebody stopped."""
    return RequestError(409, "canceled", "this run was canceled")


def bounded(chain: Chain, own: Limits = NO_LIMITS) -> Limits:
    """The caller's limits, or what the agents above have left where that is less."""
    return replace(
        own,
        seconds=_least(own.seconds, chain.seconds),
        tokens=_least(own.tokens, chain.tokens),
    )


def _least(one: Number | None, other: Number | None) -> Number | None:
    given = [each for each in (one, other) if each is not None]
    return min(given, default=None)
