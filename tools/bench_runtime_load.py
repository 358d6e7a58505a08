"""Clients of the benchmark: each asks, reads the stream to its end, and asks again."""

import asyncio
import json
import statistics
import sys
import time
from dataclasses import asdict, dataclass

from tools.bench_runtime_world import EMPTY_SECONDS, read_message


@dataclass(frozen=True)
class Load:
    """What the clients saw; times in milliseconds, without what the model takes."""

    requests: int
    errors: int
    per_second: float
    ttft_p50: float
    ttft_p99: float


async def one(port: int, model: str, times: list[float]) -> bool:
    """A request on a connection of its own; whether it was answered to the end."""
    body = json.dumps(
        {"model": model, "stream": True, "messages": [{"role": "user", "content": "where is 7?"}]}
    ).encode()
    began = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        head = (
            "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nx-tenant-id: acme\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        answer, _ = await read_message(reader)
        if not answer.startswith(b"HTTP/1.1 200") or b"chunked" not in answer.lower():
            return False
        first, last = 0.0, b""
        while size := int(await reader.readline(), 16):
            data = (await reader.readexactly(size + 2))[:-2]
            if not first and b"word" in data:
                first = time.perf_counter() - began
            last = data
        await reader.readline()
        times.append(first)
    finally:
        writer.close()
    return bool(first) and last.rstrip().endswith(b"[DONE]")


async def load(port: int, model: str, *, streams: int, seconds: float) -> Load:
    """`streams` clients for `seconds`."""
    times: list[float] = []
    counts = {True: 0, False: 0}
    began = time.perf_counter()
    end = began + seconds

    async def client(number: int) -> None:
        await asyncio.sleep(0.36 * number / streams)  # else all requests come in waves
        while time.perf_counter() < end:
            try:
                done = await one(port, model, times)
            except (OSError, ValueError, asyncio.IncompleteReadError):
                done = False
            counts[done] += 1

    await asyncio.gather(*(client(number) for number in range(streams)))
    took = time.perf_counter() - began
    added = sorted((each - EMPTY_SECONDS) * 1000 for each in times) or [0.0]
    return Load(
        requests=counts[True],
        errors=counts[False],
        per_second=counts[True] / took,
        ttft_p50=statistics.median(added),
        ttft_p99=added[min(len(added) - 1, int(len(added) * 0.99))],
    )


def main() -> None:
    """`PORT MODEL STREAMS SECONDS`: prints one JSON object."""
    port, model, streams, seconds = sys.argv[1:]
    result = asyncio.run(load(int(port), model, streams=int(streams), seconds=float(seconds)))
    print(json.dumps(asdict(result)))


if __name__ == "__main__":
    main()
