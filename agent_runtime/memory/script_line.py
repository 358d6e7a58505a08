"""A connection to the store on which programs follow each other without waiting for an answer.

redis-py takes a connection out of its pool for each command, with two timers, a lock and several
events: 190 calls of Python functions. A request runs four to ten programs. Here one more costs a
future, and answers come in the order of the questions.
"""

import asyncio
import ssl
from collections import deque
from typing import Any

import hiredis

Answered = asyncio.Future[Any]


class LineError(Exception):
    """Nothing can be told of what was sent last; whoever sent it may send it again elsewhere."""


class ScriptLine(asyncio.Protocol):
    """Give each command to `ask`; a line that is `closed` is of no more use."""

    def __init__(self, answer_seconds: float) -> None:
        """An answer that takes longer than `answer_seconds` ends the line."""
        self.closed = False
        self._patience = answer_seconds
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader()
        self._waiting: deque[tuple[float, Answered]] = deque()
        self._watch: asyncio.TimerHandle | None = None
        self._transport: Any = None

    @classmethod
    async def open(
        cls,
        address: tuple[str, int],
        *,
        tls: ssl.SSLContext | None,
        credentials: tuple[str, ...],
        connect_seconds: float,
        answer_seconds: float,
    ) -> "ScriptLine":
        """Raises LineError."""
        loop, line = asyncio.get_running_loop(), cls(answer_seconds)
        try:
            async with asyncio.timeout(connect_seconds):
                await loop.create_connection(lambda: line, *address, ssl=tls)
                if credentials:
                    await line.ask("AUTH", *credentials)
        except (OSError, LineError, hiredis.ReplyError) as error:
            line.close()
            raise LineError(type(error).__name__) from None
        except asyncio.CancelledError:
            line.close()
            raise
        return line

    def ask(self, *command: Any) -> Answered:
        """The answer to come. It raises ReplyError, LineError."""
        answer: Answered = self._loop.create_future()
        if self.closed:
            answer.set_exception(LineError("closed"))
            return answer
        self._waiting.append((self._loop.time() + self._patience, answer))
        self._transport.write(hiredis.pack_command(command))
        if self._watch is None:
            self._watch_for(self._patience)
        return answer

    def close(self) -> None:
        self._end(LineError("closed"))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            self._reader.feed(data)
            while (reply := self._reader.gets()) is not False:
                _, answer = self._waiting.popleft()
                if answer.done():
                    continue
                if isinstance(reply, hiredis.ReplyError):
                    answer.set_exception(reply)
                else:
                    answer.set_result(reply)
        except (hiredis.ProtocolError, IndexError):
            self._end(LineError("not an answer"))

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._end(LineError("lost"))

    def _watch_for(self, seconds: float) -> None:
        self._watch = self._loop.call_later(seconds, self._look, self._loop.time() + seconds)

    def _look(self, due: float) -> None:
        """End the line where the oldest question has no answer yet."""
        self._watch = None
        if not self._waiting:
            return
        now = self._loop.time()
        left = self._waiting[0][0] - now
        if left > 0:
            self._watch_for(left)
        elif now > due + self._patience / 5:
            self._watch_for(self._patience)  # this process stood still: the answer may be here
        else:
            self._end(LineError("no answer"))

    def _end(self, error: Exception) -> None:
        self.closed = True
        if self._watch:
            self._watch.cancel()
            self._watch = None
        if self._transport:
            self._transport.abort()
        while self._waiting:
            _, answer = self._waiting.popleft()
            if not answer.done():
                answer.set_exception(error)
