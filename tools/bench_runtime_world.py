"""What an agent has around it in the benchmark: a model and a tool, written close to the socket so
that they cost next to nothing, and the floor to compare with: the same agent as a hand-written loop
that keeps nothing."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable

FIRST_WORD_SECONDS = 0.055
CALL_SECONDS = 0.110
"""The model's first answer, a tool call, takes so long in all."""
ANSWER_SECONDS = 0.250
"""Its second one, the words, from the request to the end."""
WORDS = 12
EMPTY_SECONDS = CALL_SECONDS + FIRST_WORD_SECONDS
"""Until the first word, with an agent that takes no time at all."""

Handler = Callable[[bytes, bytes], AsyncIterator[bytes]]
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def read_message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head and body of one HTTP message with a content length."""
    head = await reader.readuntil(b"\r\n\r\n")
    lower = head.lower()
    at = lower.find(b"content-length:")
    length = int(lower[at + 15 : lower.index(b"\r\n", at)]) if at >= 0 else 0
    return head, await reader.readexactly(length) if length else b""


async def serve(port: int, handler: Handler) -> None:
    """A keep-alive HTTP server of one handler; a first piece that is no event is a whole body."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head, body = await read_message(reader)
                first = True
                async for piece in handler(head, body):
                    if first and not piece.startswith(b"data:"):
                        size = b"content-length: %d\r\n\r\n" % len(piece)
                        kind = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                        writer.write(kind + size + piece)
                        break
                    writer.write((_HEAD if first else b"") + framed(piece))
                    first = False
                else:
                    writer.write(b"0\r\n\r\n")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", port, backlog=1024)
    async with server:
        await server.serve_forever()


def _chunk(delta: dict[str, object], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    data = {"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}
    return b"data: %b\n\n" % json.dumps(data).encode()


_CALL = {
    "index": 0,
    "id": "call_1",
    "type": "function",
    "function": {"name": "look", "arguments": '{"order": "7"}'},
}
_OPENING = _chunk({"role": "assistant", "content": ""})
_CALLING = _chunk({"tool_calls": [_CALL]})
_CALLED = _chunk({}, "tool_calls") + b"data: [DONE]\n\n"
_WORD = _chunk({"content": "word "})
_SAID = _chunk({}, "stop") + b"data: [DONE]\n\n"
TOOL_ANSWER = b'{"state": "shipped"}'


async def world(head: bytes, body: bytes) -> AsyncIterator[bytes]:
    """The model at /v1/chat/completions, the tool everywhere else."""
    if b"/chat/completions" not in head.partition(b"\r\n")[0]:
        yield TOOL_ANSWER
        return
    await asyncio.sleep(FIRST_WORD_SECONDS)
    if b'"role":"tool"' not in body.replace(b'": "', b'":"'):
        yield _OPENING + _CALLING
        await asyncio.sleep(CALL_SECONDS - FIRST_WORD_SECONDS)
        yield _CALLED
        return
    pause = (ANSWER_SECONDS - FIRST_WORD_SECONDS) / WORDS
    yield _OPENING + _WORD
    for _ in range(WORDS - 1):
        await asyncio.sleep(pause)
        yield _WORD
    await asyncio.sleep(pause)
    yield _SAID


class Caller:
    """Keep-alive connections of the floor's agent to its world."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(
        self, path: str, body: bytes, each: Callable[[bytes], Awaitable[None]] | None = None
    ) -> None:
        """Send, and give every event of the answer to `each`."""
        idle = self._idle
        reader, writer = (
            idle.pop() if idle else await asyncio.open_connection("127.0.0.1", self._port)
        )
        head = f"POST {path} HTTP/1.1\r\nhost: w\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answer, _ = await read_message(reader)
        while b"chunked" in answer:
            size = int(await reader.readline(), 16)
            data = (await reader.readexactly(size + 2))[:-2]
            if not size:
                break
            if each:
                await each(data)
        self._idle.append((reader, writer))


def floor(world_port: int) -> Handler:
    """The agent by hand: ask, call the tool, ask again, pass the words on."""
    caller = Caller(world_port)

    async def answer(head: bytes, body: bytes) -> AsyncIterator[bytes]:
        del head
        messages = json.loads(body)["messages"]
        pieces: list[bytes] = []

        async def keep(piece: bytes) -> None:
            pieces.append(piece)

        asked = json.dumps({"messages": messages, "stream": True}).encode()
        await caller.post("/v1/chat/completions", asked, keep)
        await caller.post("/look", b"{}")
        messages += [
            {"role": "assistant", "tool_calls": [_CALL]},
            {"role": "tool", "tool_call_id": "call_1", "content": TOOL_ANSWER.decode()},
        ]
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        asked = json.dumps({"messages": messages, "stream": True}).encode()

        async def second() -> None:
            await caller.post("/v1/chat/completions", asked, queue.put)
            await queue.put(None)

        task = asyncio.create_task(second())
        while (piece := await queue.get()) is not None:
            yield piece
        await task

    return answer


def main() -> None:
    """`world PORT` or `floor PORT WORLD-PORT`."""
    kind, port, *rest = sys.argv[1:]
    handler = world if kind == "world" else floor(int(rest[0]))
    asyncio.run(serve(int(port), handler))


if __name__ == "__main__":
    main()
