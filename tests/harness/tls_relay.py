"""TLS in front of a server that speaks none, with a certificate of a CA of its own."""

import datetime
import ipaddress
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

CHUNK = 65536


def self_signed(folder: Path, name: str) -> tuple[Path, Path]:
    """Certificate, which is its own CA, and key for 127.0.0.1; PEM files named by `name`."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(alternative, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / f"{name}.crt", folder / f"{name}.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, private


@contextmanager
def tls_relay(port: int, certificate: Path, key: Path, *, listen: int = 0) -> Iterator[int]:
    """The port of 127.0.0.1 (`listen`, or a free one) where TLS leads to `port` meanwhile."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", listen)) as door:

        def accept() -> None:
            while True:
                try:
                    taken, _ = door.accept()
                except OSError:
                    return
                threading.Thread(target=_relay, args=(taken, context, port), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield int(door.getsockname()[1])
        door.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=10)


def _relay(taken: socket.socket, context: ssl.SSLContext, port: int) -> None:
    """Carry bytes both ways until a side ends; a failed handshake ends it at once."""
    with taken, suppress(OSError):
        secured = context.wrap_socket(taken, server_side=True)
        with secured, socket.create_connection(("127.0.0.1", port)) as behind:
            while True:
                ready: list[socket.socket] = [secured] if secured.pending() else []
                if not ready:
                    ready = select.select([secured, behind], [], [])[0]
                for source in ready:
                    data = source.recv(CHUNK)
                    if not data:
                        return
                    (behind if source is secured else secured).sendall(data)
