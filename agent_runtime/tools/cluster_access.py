"""How this Pod reaches the API of its cluster."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import httpx

from agent_runtime.secret_file import SecretFile
from agent_runtime.settings import Settings

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True)
class ClusterAccess:
    """How the Kubernetes API is reached."""

    url: str
    token: SecretFile
    """A projected token, which changes while the process runs."""
    ca_file: Path | None
    namespace: str

    @classmethod
    def from_settings(cls, settings: Settings, namespace: str) -> "ClusterAccess":
        ca_file = settings.kubernetes_ca_file or SERVICE_ACCOUNT / "ca.crt"
        return cls(
            url=settings.kubernetes_url,
            token=SecretFile(settings.kubernetes_token_file or SERVICE_ACCOUNT / "token"),
            ca_file=ca_file if ca_file.is_file() else None,
            namespace=namespace,
        )

    def client(self, timeout: httpx.Timeout) -> httpx.AsyncClient:
        """A client of the API; `headers` go along with each request."""
        cluster = ssl.create_default_context(cafile=self.ca_file) if self.ca_file else True
        return httpx.AsyncClient(
            base_url=self.url, verify=cluster, timeout=timeout, trust_env=False
        )

    def headers(self) -> dict[str, str]:
        """Raises SecretUnavailableError."""
        return {"authorization": f"Bearer {self.token.read()}"}
