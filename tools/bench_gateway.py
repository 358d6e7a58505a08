"""What the gateway costs a request: through Envoy with everything on, and directly, in turn.

Both kinds of requests go to the same backend process over kept connections, one at a time, so the
difference of their medians is the gateway's own time.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import httpx

from components.envoy_bootstrap import bootstrap, render
from components.gateway_config import GatewayConfig, RateLimitConfig
from inference.routing import Backend, ModelRoute, RouteTable
from tests.harness.envoy import RunningEnvoy, running_envoy
from tests.harness.workload import eventually, free_port
from tools.bench import Figure

KEY = "sk-bench-0123456789"
WARM_UP = 200
REQUESTS = 2000
HOST = "model.ai-inference.svc.cluster.local"
BODY = {"model": "gpt-4", "messages": [{"role": "user", "content": "word " * 400}]}

BACKEND = """
import asyncio, sys
ANSWER = b'{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}'
HEAD = b"HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\ncontent-length: %d\\r\\n\\r\\n"

async def serve(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\\r\\n\\r\\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\\r\\n")[0])
            await reader.readexactly(length)
            writer.write(HEAD % len(ANSWER) + ANSWER)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()

async def main():
    async with await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1])) as server:
        await server.serve_forever()

asyncio.run(main())
"""


def measured(direct: str, through: str, requests: int) -> tuple[list[float], list[float]]:
    """Milliseconds of each request, direct and through the gateway, asked in turn."""
    headers = {"authorization": f"Bearer {KEY}"}
    found: tuple[list[float], list[float]] = ([], [])
    with httpx.Client(headers=headers, timeout=30) as client:
        for number in range(WARM_UP + requests):
            for times, base in zip(found, (direct, through), strict=True):
                began = time.perf_counter()
                answer = client.post(f"{base}/v1/chat/completions", json=BODY)
                took = 1000 * (time.perf_counter() - began)
                answer.raise_for_status()
                if number >= WARM_UP:
                    times.append(took)
    return found


def _gateway(stack: ExitStack, folder: Path, port: int) -> RunningEnvoy:
    route = ModelRoute(name="gpt-4", backends=(Backend(service="model", port=port),))
    limit = RateLimitConfig(requests=1_000_000)
    config = GatewayConfig(variant="envoy", rate_limit=limit)
    text = render(bootstrap(config, RouteTable(models=(route,)), api_keys={"bench": KEY}))
    return stack.enter_context(running_envoy(text, folder, hosts={HOST: "127.0.0.1"}))


def _up(url: str) -> bool | None:
    try:
        return httpx.post(url, json={}).is_success or None
    except httpx.TransportError:
        return None


def figures(requests: int) -> list[Figure]:
    """Overhead at the median and at the 99th percentile."""
    port = free_port()
    direct = f"http://127.0.0.1:{port}"
    command = f"python -m tools.bench_gateway --requests {requests}"
    backend = subprocess.Popen([sys.executable, "-c", BACKEND, str(port)])
    try:
        eventually(lambda: _up(direct), "the backend")
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            gateway = _gateway(stack, Path(folder), port)
            plain, proxied = measured(direct, gateway.url, requests)
    finally:
        backend.terminate()
        backend.wait()
    medians = statistics.median(plain), statistics.median(proxied)
    high = statistics.quantiles(plain, n=100)[98], statistics.quantiles(proxied, n=100)[98]
    return [
        Figure("request, direct, p50", medians[0], 1000, "ms", command),
        Figure("gateway overhead, p50", medians[1] - medians[0], 1, "ms", command),
        Figure("gateway overhead, p99", high[1] - high[0], 10, "ms", command),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = figures(arguments.requests)
    if arguments.json:
        print(json.dumps([figure.__dict__ for figure in found]))
        return
    for figure in found:
        print(figure.line())


if __name__ == "__main__":
    main()
