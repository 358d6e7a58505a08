"""What the gateway costs a request: through Envoy with everything on, and directly, in turn.

All requests go to the same backend process over kept connections, one at a time, so the difference
of their medians is the gateway's own time; "with a budget" adds the rate limit service on Valkey.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from components.envoy_bootstrap import bootstrap, render
from components.envoy_limits import SERVICE_HOST
from components.gateway_config import GatewayConfig, RateLimitConfig
from components.ratelimit_config import LimitsConfig
from inference.routing import Backend, ModelRoute, RouteTable
from local.report import UserError
from tests.harness.envoy import RunningEnvoy, free_address, running_envoy
from tests.harness.rate_limit_service import rate_limits, valkey
from tests.harness.workload import eventually, free_port
from tools.bench import Figure

KEY = "sk-bench-0123456789"
LIMIT = RateLimitConfig(requests=1_000_000)
BUDGET = LimitsConfig.model_validate({"rules": [{"per": "year", "tokens": 1_000_000_000}]})
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


@contextmanager
def backend() -> Iterator[int]:
    """Its port; one process that answers at once."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", BACKEND, str(port)])
    try:
        eventually(lambda: _up(f"http://127.0.0.1:{port}"), "the backend")
        yield port
    finally:
        process.terminate()
        process.wait()


def measured(ways: dict[str, str], requests: int) -> dict[str, list[float]]:
    """Milliseconds of each request by its way, asked in turn."""
    headers = {"authorization": f"Bearer {KEY}"}
    found: dict[str, list[float]] = {name: [] for name in ways}
    with httpx.Client(headers=headers, timeout=30) as client:
        for number in range(WARM_UP + requests):
            for name, base in ways.items():
                began = time.perf_counter()
                answer = client.post(f"{base}/v1/chat/completions", json=BODY)
                took = 1000 * (time.perf_counter() - began)
                answer.raise_for_status()
                if number >= WARM_UP:
                    found[name].append(took)
    return found


def _gateway(stack: ExitStack, folder: Path, port: int) -> RunningEnvoy:
    return _running(stack, folder, port, GatewayConfig(variant="envoy", rate_limit=LIMIT), {})


def _counting_gateway(stack: ExitStack, folder: Path, port: int) -> RunningEnvoy:
    """With a token budget as well: asked before a request, charged before its answer ends."""
    store = stack.enter_context(valkey(folder / "store"))
    service = stack.enter_context(
        rate_limits(BUDGET, folder / "counter", address=free_address(), store_port=store.port)
    )
    config = GatewayConfig(variant="envoy", rate_limit=LIMIT, limits=BUDGET)
    return _running(stack, folder, port, config, {SERVICE_HOST: service.address})


def _running(
    stack: ExitStack, folder: Path, port: int, config: GatewayConfig, hosts: dict[str, str]
) -> RunningEnvoy:
    folder.mkdir(exist_ok=True)
    route = ModelRoute(name="gpt-4", backends=(Backend(service="model", port=port),))
    text = render(bootstrap(config, RouteTable(models=(route,)), api_keys={"bench": KEY}))
    return stack.enter_context(running_envoy(text, folder, hosts={HOST: "127.0.0.1", **hosts}))


def _up(url: str) -> bool | None:
    try:
        return httpx.post(url, json={}).is_success or None
    except httpx.TransportError:
        return None


def figures(requests: int) -> list[Figure]:
    """Overhead at the median and at the 99th percentile, without and with a token budget."""
    command = f"python -m tools.bench_gateway --requests {requests}"
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder, port = Path(name), stack.enter_context(backend())
        ways = {"direct": f"http://127.0.0.1:{port}"}
        ways["gateway"] = _gateway(stack, folder / "plain", port).url
        try:
            ways["gateway with a budget"] = _counting_gateway(stack, folder / "budget", port).url
        except UserError as reason:
            print(f"without a token budget: {reason}", file=sys.stderr)
        times = measured(ways, requests)
    medians = {way: statistics.median(each) for way, each in times.items()}
    high = {way: statistics.quantiles(each, n=100)[98] for way, each in times.items()}
    found = [Figure("request, direct, p50", medians.pop("direct"), 1000, "ms", command)]
    for way, median in medians.items():
        found += [
            Figure(f"{way}, added p50", median - found[0].value, 1, "ms", command),
            Figure(f"{way}, added p99", high[way] - high["direct"], 10, "ms", command),
        ]
    return found


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
