"""Keys, certificates and tokens of one local control plane."""

import datetime
import ipaddress
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from local.control_plane.slots import Slot
from local.kubeconfig import write_private

CA_DAYS = 3650
LEAF_DAYS = 365
RENEW_BEFORE_DAYS = 90
NODE_NAME = "local"


@dataclass(frozen=True)
class Pki:
    """The files below `<state>/pki`; all are readable by their owner alone."""

    root: Path

    @property
    def ca(self) -> Path:
        return self.root / "ca.crt"

    @property
    def service_account_key(self) -> Path:
        """Signs the tokens of Pods; kept, so that they outlive a restart."""
        return self.root / "service-account.key"

    @property
    def tokens(self) -> Path:
        """The API server's `--token-auth-file`."""
        return self.root / "tokens.csv"

    def certificate(self, name: str) -> Path:
        return self.root / f"{name}.crt"

    def key(self, name: str) -> Path:
        return self.root / f"{name}.key"

    def token(self, user: str) -> str:
        """Raises KeyError for a user that `make` did not write."""
        for line in self.tokens.read_text().splitlines():
            token, name, *_ = line.split(",")
            if name == user:
                return token
        raise KeyError(user)


USERS = {
    "admin": "system:masters",
    "system:kube-controller-manager": "system:masters",
    "system:kube-scheduler": "",
}
"""User → group. One login serves all controllers, and no bootstrap role covers them together."""


def make(root: Path, slot: Slot) -> Pki:
    """Complete `root`: keep the CA, the service account key and the tokens, renew the rest.

    The leaf certificates are cheap and hold the slot's addresses, so each start issues them anew.
    """
    pki = Pki(root)
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority = _authority(pki)
    here = [NODE_NAME, "localhost", slot.node_ip]
    services = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    services += ["kubernetes.default.svc.cluster.local", slot.service_ip]
    authority.issue(pki, "serving", "kube-apiserver", hosts=[*here, *services])
    authority.issue(pki, "etcd", "etcd", hosts=here)
    authority.issue(pki, "kubelet", f"system:node:{NODE_NAME}", "system:nodes", hosts=here)
    authority.issue(pki, "kubelet-client", "kube-apiserver-kubelet-client", "system:masters")
    authority.issue(pki, "front-proxy", "front-proxy-client")
    if not pki.service_account_key.exists():
        write_private(pki.service_account_key, _pem(ec.generate_private_key(ec.SECP256R1())))
    if not pki.tokens.exists():
        lines = [f'{secrets.token_urlsafe(32)},{u},{u},"{g}"\n' for u, g in USERS.items()]
        write_private(pki.tokens, "".join(lines))
    return pki


def issue(pki: Pki, name: str, *, hosts: list[str]) -> None:
    """Write `<name>.crt` and `.key` for one more program that serves under `hosts`; they are a
    client's too. Call it after `make`."""
    _authority(pki).issue(pki, name, name, hosts=hosts)


@dataclass(frozen=True)
class _Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def issue(
        self,
        pki: Pki,
        name: str,
        common_name: str,
        organization: str = "",
        *,
        hosts: list[str] | None = None,
    ) -> None:
        """Write `<name>.crt` and `.key`: a client's without `hosts`, else a server's too."""
        key = ec.generate_private_key(ec.SECP256R1())
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = _builder(_name(common_name, organization), self.certificate.subject, LEAF_DAYS)
        if hosts:
            usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
            names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
            builder = builder.add_extension(names, critical=False)
        certificate = (
            builder.public_key(key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(_authority_key(self.certificate), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        write_private(pki.key(name), _pem(key))
        write_private(pki.certificate(name), _text(certificate))


def _authority(pki: Pki) -> _Authority:
    try:
        certificate = x509.load_pem_x509_certificate(pki.ca.read_bytes())
        key = serialization.load_pem_private_key(pki.key("ca").read_bytes(), password=None)
    except (OSError, ValueError):
        return _new_authority(pki)
    left = certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    if left.days < RENEW_BEFORE_DAYS or not isinstance(key, ec.EllipticCurvePrivateKey):
        return _new_authority(pki)
    if certificate.public_key() != key.public_key():
        return _new_authority(pki)
    return _Authority(certificate, key)


def _new_authority(pki: Pki) -> _Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("agentic-platform local CA")
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        _builder(name, name, CA_DAYS)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_ca_usage(), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    write_private(pki.key("ca"), _pem(key))
    write_private(pki.ca, _text(certificate))
    return _Authority(certificate, key)


def _builder(subject: x509.Name, issuer: x509.Name, days: int) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .serial_number(x509.random_serial_number())
        # a clock that is set back a little must not end the platform
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def _name(common_name: str, organization: str = "") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(parts)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _authority_key(certificate: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    found = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(found.value)


def _ca_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,  # the API server reads no PKCS#8 EC key
        serialization.NoEncryption(),
    ).decode()


def _text(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
