"""Other doors of the real Envoy: TLS from mounted files, and agents over gRPC."""

import datetime
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from components.envoy_bootstrap import (
    TLS_FILE,
    TLS_FOLDER,
    TLS_PORT,
    bootstrap,
    render,
    tls_secret_file,
)
from components.gateway_config import GatewayConfig, TlsConfig
from inference.routing import AgentRoute, Backend, ModelRoute, RouteTable
from tests.components.gateway_fixture import KEYS
from tests.harness.envoy import running_envoy
from tests.harness.marker_backend import marker_backend
from tests.harness.workload import eventually

pytestmark = pytest.mark.services

NAME = "ai.example.com"
METHOD = "/lf.a2a.v1.A2AService/SendMessage"
HOST = "agent.ai-agents.svc.cluster.local"


def _certificate(folder: Path) -> int:
    """A new certificate for the gateway's name, as cert-manager mounts it; its serial number."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    files = {
        "tls.crt": made.public_bytes(serialization.Encoding.PEM),
        "tls.key": key.private_bytes(serialization.Encoding.PEM, form, plain),
    }
    # A mounted Secret changes all of its files at once, by one renamed link.
    new = folder.with_name(f"{folder.name}-{made.serial_number}")
    new.mkdir()
    for file, content in files.items():
        (new / file).write_bytes(content)
    folder.mkdir(exist_ok=True)
    link = folder / "..data_tmp"
    link.symlink_to(new)
    link.rename(folder / "..data")
    for file in files:
        if not (folder / file).is_symlink():
            (folder / file).symlink_to(f"..data/{file}")
    return made.serial_number


def _serial(address: str) -> int:
    found = ssl.get_server_certificate((address, TLS_PORT))
    return x509.load_pem_x509_certificate(found.encode()).serial_number


def test_tls_ends_at_the_gateway_and_a_renewed_certificate_is_taken(tmp_path: Path) -> None:
    certificates = tmp_path / "certificates"
    serial = _certificate(certificates)
    tls = TlsConfig(issuer="ca", host_names=(NAME,))
    with marker_backend("model") as backend:
        backend_place = Backend(service="model", port=backend.port)
        routes = RouteTable(models=(ModelRoute(name="gpt-4", backends=(backend_place,)),))
        text = render(bootstrap(GatewayConfig(variant="envoy", tls=tls), routes, api_keys=KEYS))
        secret = tmp_path / TLS_FILE
        secret.write_text(render(tls_secret_file()).replace(TLS_FOLDER, str(certificates)))
        text = text.replace(f"/etc/envoy/{TLS_FILE}", str(secret))
        hosts = {"model.ai-inference.svc.cluster.local": "127.0.0.1"}
        with running_envoy(text, tmp_path, hosts=hosts) as envoy:
            context = ssl.create_default_context(cafile=certificates / "tls.crt")
            with httpx.Client(verify=context, http2=False) as client:
                answer = client.post(
                    f"https://{envoy.address}:{TLS_PORT}/v1/chat/completions",
                    json={"model": "gpt-4"},
                    headers={"authorization": f"Bearer {KEYS['demo']}", "host": NAME},
                    extensions={"sni_hostname": NAME},
                )
            assert answer.json()["backend"] == "model"
            assert _serial(envoy.address) == serial
            renewed = _certificate(certificates)
            eventually(lambda: _serial(envoy.address) == renewed or None, "the renewed certificate")


class _Echo(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpcio has no types
    """Answers any method with the tenant that it was told."""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        told = {str(key): value for key, value in details.invocation_metadata}

        def answer(_request: bytes, _context: grpc.ServicerContext) -> bytes:
            return f"{details.method} {told.get('x-tenant-id')}".encode()

        return grpc.unary_unary_rpc_method_handler(answer)


@contextmanager
def _grpc_agent() -> Iterator[int]:
    server = grpc.server(ThreadPoolExecutor(2), handlers=(_Echo(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()


def test_an_agent_is_reached_over_grpc_by_its_name_in_the_metadata(tmp_path: Path) -> None:
    with _grpc_agent() as port:
        agent = AgentRoute(name="agent", grpc_port=port)
        closed = AgentRoute(name="closed", service="agent", grpc_port=port, tenants=("platform",))
        config = GatewayConfig(variant="envoy")
        text = render(bootstrap(config, RouteTable(agents=(agent, closed)), api_keys=KEYS))
        with (
            running_envoy(text, tmp_path, hosts={HOST: "127.0.0.1"}) as envoy,
            grpc.insecure_channel(envoy.url.removeprefix("http://")) as channel,
        ):
            call = channel.unary_unary(METHOD)

            def ask(name: str, key: str) -> str:
                metadata = (("x-model-id", name), ("authorization", f"Bearer {key}"))
                return bytes(call(b"", metadata=metadata, timeout=20)).decode()

            assert ask("agent", KEYS["demo"]) == f"{METHOD} demo"
            assert ask("closed", KEYS["platform"]) == f"{METHOD} platform"
            for name, key, code in (
                ("closed", KEYS["demo"], grpc.StatusCode.PERMISSION_DENIED),
                ("agent", "sk-wrong", grpc.StatusCode.UNAUTHENTICATED),
            ):
                with pytest.raises(grpc.RpcError) as refused:
                    ask(name, key)
                assert refused.value.code() == code
