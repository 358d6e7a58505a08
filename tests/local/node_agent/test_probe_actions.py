"""Probes against real listeners."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from local.node_agent.probe_actions import GRPC_HEALTH, ProbeTarget, attempt

pytestmark = pytest.mark.unit
HOST = "127.0.0.1"


def target(port: int = 0, exit_code: int = 0) -> ProbeTarget:
    async def run(_command: list[str]) -> int:
        return exit_code

    ports = [{"name": "http", "containerPort": port}]
    return ProbeTarget({"name": "main", "ports": ports}, HOST, run)


@asynccontextmanager
async def http(answer: bytes, secure: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Answers every request with `answer`, and writes the request back into the body."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # who only tries the port sends nothing
        with closing(writer), suppress(asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            ok = b"GET /healthz " in head and b"X-Probe: yes" in head
            writer.write(answer if ok else b"HTTP/1.1 418 wrong request\r\n\r\n")
            await writer.drain()

    server = await asyncio.start_server(handle, HOST, 0, ssl=secure)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def http_action(port: int | str, **more: Any) -> dict[str, Any]:
    headers = [{"name": "X-Probe", "value": "yes"}]
    return {"httpGet": {"path": "/healthz", "port": port, "httpHeaders": headers} | more}


@pytest.mark.parametrize("status", [b"200 OK", b"302 Found", b"399 Odd"])
async def test_success_and_redirects_are_healthy(status: bytes) -> None:
    async with http(b"HTTP/1.1 " + status + b"\r\n\r\n") as port:
        assert await attempt(http_action("http"), target(port), 5) is None


@pytest.mark.parametrize("status", [b"404 Not Found", b"503 Busy"])
async def test_other_codes_are_not(status: bytes) -> None:
    async with http(b"HTTP/1.1 " + status + b"\r\n\r\n") as port:
        reason = await attempt(http_action(port), target(), 5)
    assert reason == f"HTTP probe failed with statuscode: {status[:3].decode()}"


async def test_an_answer_that_is_not_http_is_not_healthy() -> None:
    async with http(b"\x16\x03\x01 what\r\n") as port:
        assert await attempt(http_action(port), target(), 5) == "the answer is not HTTP"


async def test_https_is_asked_without_trusting_the_certificate(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))
    async with http(b"HTTP/1.1 200 OK\r\n\r\n", context) as port:
        assert await attempt(http_action(port, scheme="HTTPS"), target(), 5) is None


async def test_silence_is_a_failure_after_the_timeout() -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hang, HOST, 0)
    port = server.sockets[0].getsockname()[1]
    assert await attempt(http_action(port), target(), 0.1) == "no answer within 0.1 s"
    server.close()


async def test_a_port_name_that_is_not_declared_is_named() -> None:
    reason = await attempt({"tcpSocket": {"port": "grpc"}}, target(), 5)
    assert reason == "container 'main' declares no port named 'grpc'"


async def test_an_open_port_is_enough_for_tcp() -> None:
    async with http(b"") as port:
        assert await attempt({"tcpSocket": {"port": port}}, target(), 5) is None
    refused = await attempt({"tcpSocket": {"port": port}}, target(), 5)
    assert refused is not None
    assert "Connect call failed" in refused


async def test_a_command_is_healthy_when_it_ends_with_zero() -> None:
    action = {"exec": {"command": ["check"]}}
    assert await attempt(action, target(exit_code=0), 5) is None
    assert await attempt(action, target(exit_code=2), 5) == "command ended with exit code 2"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(b"\x08\x01", None), (b"\x08\x02", "gRPC health check: not SERVING")],
)
async def test_grpc_health_must_say_serving(answer: bytes, reason: str | None) -> None:
    class Health(grpc.GenericRpcHandler):  # type: ignore[misc] # grpc has no types here
        def service(self, details: Any) -> Any:
            async def check(request: bytes, _context: Any) -> bytes:
                assert request == b"\x0a\x03api"
                return answer

            assert details.method == GRPC_HEALTH
            return grpc.unary_unary_rpc_method_handler(check)

    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Health(),))
    port = server.add_insecure_port(f"{HOST}:0")
    await server.start()
    try:
        found = await attempt({"grpc": {"port": port, "service": "api"}}, target(), 5)
    finally:
        await server.stop(None)
    assert found == reason


def self_signed(folder: Path) -> Path:
    """Certificate and key of nobody in particular, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "nobody")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / "pair.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    return path
