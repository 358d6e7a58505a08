"""One connection pool to Redis or Valkey; only plain commands, since ElastiCache has no modules."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import hiredis
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import FullJitterBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import NoScriptError, RedisError

from agent_runtime.memory.ports import MemoryUnavailableError
from agent_runtime.memory.script_line import LineError, ScriptLine
from agent_runtime.secret_file import SecretFile, SecretUnavailableError

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 5.0
_RETRIES = 2
_LINE_AGAIN_SECONDS = 1.0


class _PasswordFile(CredentialProvider):
    """Reads the mounted password on each new connection, so that a rotated one is used."""

    def __init__(self, secret: SecretFile) -> None:
        self._secret = secret

    def get_credentials(self) -> tuple[str]:
        return (self._secret.read(),)

    async def get_credentials_async(self) -> tuple[str]:
        return self.get_credentials()


class _Store(Redis):
    """A client whose programs go over a line of their own while there is one.

    What goes wrong there is left to redis-py: a program may be sent twice, and says so itself.
    """

    def with_line(
        self, *, tls: bool, ca_file: Path | None, password: SecretFile | None
    ) -> "_Store":
        self._line: ScriptLine | None = None
        self._tls, self._ca_file, self._password = tls, ca_file, password
        self._opens_at = 0.0
        return self

    async def evalsha(self, sha: str, numkeys: int, *keys_and_args: Any) -> Any:
        line = self._line
        if line is None or line.closed:
            line = await self._opened()
        if line is not None:
            try:
                return await line.ask("EVALSHA", sha, numkeys, *keys_and_args)
            except LineError:
                pass
            except hiredis.ReplyError as error:
                if str(error).startswith("NOSCRIPT"):
                    raise NoScriptError(str(error)) from None
                line.close()  # such as of a primary that is none any more
        found: Any = super().evalsha(sha, numkeys, *keys_and_args)
        return await found

    async def aclose(self, close_connection_pool: bool | None = None) -> None:  # noqa: FBT001 # theirs
        if self._line:
            self._line.close()
        await super().aclose(close_connection_pool)

    async def _opened(self) -> ScriptLine | None:
        """A new line; None while somebody else opens one, or where that failed just now."""
        now = asyncio.get_running_loop().time()
        if now < self._opens_at:
            return None
        self._opens_at = now + CONNECT_SECONDS + _LINE_AGAIN_SECONDS
        settings = self.connection_pool.connection_kwargs
        try:
            tls = ssl.create_default_context(cafile=self._ca_file) if self._tls else None
            self._line = await ScriptLine.open(
                (settings["host"], settings["port"]),
                tls=tls,
                credentials=(self._password.read(),) if self._password else (),
                connect_seconds=CONNECT_SECONDS,
                answer_seconds=settings["socket_timeout"],
            )
        except (LineError, OSError, SecretUnavailableError):
            return None
        self._opens_at = 0.0
        return self._line


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
    store = _Store(
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
    return store.with_line(tls=tls, ca_file=ca_file, password=password)


@asynccontextmanager
async def reported() -> AsyncIterator[None]:
    """Turn every failure of the store into MemoryUnavailableError."""
    try:
        yield
    except (RedisError, OSError, SecretUnavailableError) as error:
        raise MemoryUnavailableError(f"session store: {type(error).__name__}") from error
