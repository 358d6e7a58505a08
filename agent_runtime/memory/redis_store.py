"""One connection pool to Redis or Valkey; only plain commands, since ElastiCache has no modules."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import FullJitterBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import RedisError

from agent_runtime.memory.ports import MemoryUnavailableError
from agent_runtime.secret_file import SecretFile, SecretUnavailableError

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 5.0
_RETRIES = 2


class _PasswordFile(CredentialProvider):
    """Reads the mounted password on each new connection, so that a rotated one is used."""

    def __init__(self, secret: SecretFile) -> None:
        self._secret = secret

    def get_credentials(self) -> tuple[str]:
        return (self._secret.read(),)

    async def get_credentials_async(self) -> tuple[str]:
        return self.get_credentials()


def connect(
    host: str,
    port: int,
    *,
    password: SecretFile | None,
    tls: bool,
    ca_file: Path | None = None,
    answer_seconds: float = ANSWER_SECONDS,
) -> "Redis":
    """A client that connects with its first command, and waits `answer_seconds` for an answer."""
    return Redis(
        host=host,
        port=port,
        ssl=tls,
        ssl_ca_certs=str(ca_file) if tls and ca_file else None,
        credential_provider=_PasswordFile(password) if password else None,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=answer_seconds,
        retry=Retry(FullJitterBackoff(cap=0.5, base=0.05), _RETRIES),
        health_check_interval=30,
    )


@asynccontextmanager
async def reported() -> AsyncIterator[None]:
    """Turn every failure of the store into MemoryUnavailableError."""
    try:
        yield
    except (RedisError, OSError, SecretUnavailableError) as error:
        raise MemoryUnavailableError(f"session store: {type(error).__name__}") from error
