"""Carrying out one probe: HTTP, TCP, gRPC or a command."""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from local.node_agent.objects import Manifest, port_number

Exec = Callable[[list[str]], Awaitable[int]]
"""Runs a command as the container would; its exit code. Cancelling ends it."""
GRPC_HEALTH = "/grpc.health.v1.Health/Check"
STATUS_LINE_BYTES = 4096


class ProbeFailed(Exception):  # noqa: N818 - an outcome, not an error of this program
    """Why the container is not healthy, in words for an event."""


@dataclass(frozen=True)
class ProbeTarget:
    """The container that is asked."""

    container: Manifest
    pod_ip: str
    run: Exec


async def attempt(action: Manifest, target: ProbeTarget, timeout_seconds: float) -> str | None:
    """None when the probe succeeds, else the reason."""
    try:
        await asyncio.wait_for(_act(action, target), timeout_seconds)
    except TimeoutError:
        return f"no answer within {timeout_seconds:g} s"
    except (ProbeFailed, LookupError, OSError, ValueError) as error:
        return str(error) or type(error).__name__
    return None


async def _act(action: Manifest, target: ProbeTarget) -> None:
    if http := action.get("httpGet"):
        await _http(http, target)
    elif tcp := action.get("tcpSocket"):
        port = port_number(target.container, tcp["port"])
        _, writer = await asyncio.open_connection(tcp.get("host") or target.pod_ip, port)
        writer.close()
    elif command := action.get("exec"):
        code = await target.run(list(command["command"]))
        if code:
            raise ProbeFailed(f"command ended with exit code {code}")
    elif rpc := action.get("grpc"):
        await _grpc(int(rpc["port"]), rpc.get("service") or "", target)
    else:
        raise ProbeFailed("the probe names no action")


async def _http(http: Manifest, target: ProbeTarget) -> None:
    host = http.get("host") or target.pod_ip
    port = port_number(target.container, http["port"])
    secure = _unverified() if http.get("scheme") == "HTTPS" else None
    headers = {"Host": f"{host}:{port}", "User-Agent": "kube-probe/1.34", "Accept": "*/*"}
    headers |= {h["name"]: h["value"] for h in http.get("httpHeaders") or []}
    lines = [f"GET {http.get('path') or '/'} HTTP/1.1", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if any("\r" in line or "\n" in line for line in lines):
        raise ProbeFailed("a line break in the probe's path or headers")
    reader, writer = await asyncio.open_connection(host, port, ssl=secure, limit=STATUS_LINE_BYTES)
    try:
        writer.write("\r\n".join([*lines, "", ""]).encode())
        await writer.drain()
        status = _status_code(await reader.readline())
    finally:
        writer.close()
        with contextlib.suppress(OSError, ssl.SSLError):
            await writer.wait_closed()
    if not 200 <= status < 400:
        raise ProbeFailed(f"HTTP probe failed with statuscode: {status}")


def _status_code(line: bytes) -> int:
    parts = line.split(None, 2)
    if len(parts) < 2 or not parts[0].startswith(b"HTTP/") or not parts[1].isdigit():
        raise ProbeFailed("the answer is not HTTP" if line else "the connection was closed")
    return int(parts[1])


def _unverified() -> ssl.SSLContext:
    # As a kubelet: the probe asks whether the container answers, not who it is.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _grpc(port: int, service: str, target: ProbeTarget) -> None:
    # Imported here because it costs memory and few Pods ask for it.
    import grpc

    name = service.encode()
    request = b"\x0a" + bytes([len(name)]) + name if name else b""
    async with grpc.aio.insecure_channel(f"{target.pod_ip}:{port}") as channel:
        check = channel.unary_unary(GRPC_HEALTH)
        try:
            answer = await check(request)
        except grpc.aio.AioRpcError as error:
            raise ProbeFailed(f"gRPC health check: {error.code().name}") from error
    # HealthCheckResponse.status is field 1, SERVING is 1.
    if bytes(answer) != b"\x08\x01":
        raise ProbeFailed("gRPC health check: not SERVING")
