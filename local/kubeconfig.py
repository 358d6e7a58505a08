"""Kubeconfig files: reading the current context, writing the one of the local platform."""

import base64
import binascii
import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from local.report import UserError


@dataclass(frozen=True)
class Kubeconfig:
    """How to reach one API server as one user; PEM texts, not paths."""

    server: str
    certificate_authority: str | None = None
    token: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None
    namespace: str = "default"

    @classmethod
    def read(cls, path: Path, context: str | None = None) -> "Kubeconfig":
        """Parse `path`; `context` defaults to the file's current one.

        Raises UserError when the file is missing, isn't a kubeconfig, or lets a program log in
        (`exec`, `auth-provider`): the local plane runs no such program.
        """
        document = _document(path)
        chosen = context or document.get("current-context") or ""
        link = _named(path, document, "contexts", "context", chosen)
        cluster = _named(path, document, "clusters", "cluster", str(link.get("cluster")))
        user = _named(path, document, "users", "user", str(link.get("user")))
        for unsupported in ("exec", "auth-provider"):
            if unsupported in user:
                raise UserError(
                    f"{path}: context {chosen!r} logs in with `{unsupported}`, which is not "
                    "supported here: use a context with a token or a client certificate"
                )
        if "server" not in cluster:
            raise UserError(f"{path}: the cluster of context {chosen!r} has no `server`")
        return cls(
            server=str(cluster["server"]).rstrip("/"),
            certificate_authority=_pem(path, cluster, "certificate-authority"),
            token=_token(path, user),
            client_certificate=_pem(path, user, "client-certificate"),
            client_key=_pem(path, user, "client-key"),
            namespace=str(link.get("namespace") or "default"),
        )

    def write(self, path: Path, *, context: str, user: str) -> None:
        """Write `path` atomically, readable by its owner alone."""
        cluster: dict[str, Any] = {"server": self.server}
        if self.certificate_authority:
            cluster["certificate-authority-data"] = _encode(self.certificate_authority)
        credentials: dict[str, Any] = {}
        if self.token:
            credentials["token"] = self.token
        if self.client_certificate and self.client_key:
            credentials["client-certificate-data"] = _encode(self.client_certificate)
            credentials["client-key-data"] = _encode(self.client_key)
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": context, "cluster": cluster}],
            "users": [{"name": user, "user": credentials}],
            "contexts": [{"name": context, "context": {"cluster": context, "user": user}}],
            "current-context": context,
        }
        write_private(path, yaml.safe_dump(document, sort_keys=False))

    def ssl_context(self) -> ssl.SSLContext:
        """Trusts the file's CA alone when it names one, else the system's."""
        made = ssl.create_default_context(cadata=self.certificate_authority)
        if self.client_certificate and self.client_key:
            _load_client_certificate(made, self.client_certificate, self.client_key)
        return made


def write_private(path: Path, text: str) -> None:
    """Write `text` to `path` in one step, mode 0600, so that no reader sees half of it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    draft.replace(path)


def _load_client_certificate(context: ssl.SSLContext, certificate: str, key: str) -> None:
    # The ssl module reads key pairs from files only, so the pair passes through an unlinked one.
    descriptor = os.memfd_create("client-key-pair")
    try:
        os.write(descriptor, f"{certificate}\n{key}".encode())
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def _document(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: no kubeconfig there ({error.strerror}): run `make up`") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not a kubeconfig (broken YAML)") from error
    if not isinstance(document, dict):
        raise UserError(f"{path}: not a kubeconfig (no mapping at the top)")
    return document


def _named(path: Path, document: dict[str, Any], entries: str, key: str, name: str) -> Any:
    for entry in document.get(entries) or []:
        if entry.get("name") == name:
            return entry.get(key) or {}
    known = ", ".join(str(entry.get("name")) for entry in document.get(entries) or []) or "none"
    raise UserError(f"{path}: no entry {name!r} in `{entries}` (there: {known})")


def _token(path: Path, user: dict[str, Any]) -> str | None:
    if "token" in user:
        return str(user["token"])
    if "tokenFile" in user:
        return _beside(path, str(user["tokenFile"])).read_text(encoding="utf-8").strip()
    return None


def _pem(path: Path, entry: dict[str, Any], key: str) -> str | None:
    if data := entry.get(f"{key}-data"):
        try:
            return base64.b64decode(data, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise UserError(f"{path}: `{key}-data` is not base64 of PEM text") from error
    if file := entry.get(key):
        try:
            return _beside(path, str(file)).read_text(encoding="utf-8")
        except OSError as error:
            raise UserError(f"{path}: `{key}` {file}: {error.strerror}") from error
    return None


def _beside(path: Path, file: str) -> Path:
    return path.parent / file


def _encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
