"""The public keys that tokens are verified with: from a mounted file, or fetched and cached."""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from typing import Any, Protocol

import httpx

from agent_runtime.errors import unavailable
from agent_runtime.secret_file import SecretFile, SecretUnavailableError

FRESH_SECONDS = 600.0
"""How long fetched keys are used without a look at their source."""
REFRESH_PAUSE_SECONDS = 30.0
"""Between two looks at the source, so that made-up key ids can't make this Pod flood it."""
FETCH_SECONDS = 5.0
MAX_BYTES = 262_144
_KINDS = frozenset({"EC", "RSA", "OKP"})

_log = logging.getLogger(__name__)


class KeySource(Protocol):
    """Where the keys of an issuer come from."""

    async def keys(self, kid: str | None) -> Any:
        """A joserfc KeySet, looked up again where it lacks `kid`. Raises a 503 RequestError."""
        ...


def key_set(text: str) -> Any:
    """The asymmetric keys of a JWKS text; a shared secret in it is not for verifying tokens.

    Raises ValueError.
    """
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet

    try:
        listed = json.loads(text)["keys"]
        usable = [key for key in listed if key.get("kty") in _KINDS]
        if not usable:
            raise ValueError("it holds no public key")
        return KeySet.import_key_set({"keys": usable})
    except (JoseError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it is no JWKS: {type(error).__name__}") from error


class KeyFile:
    """A mounted JWKS, read again when the file changes."""

    def __init__(self, file: SecretFile) -> None:
        self._file = file
        self._text = ""
        self._keys: Any = None

    async def keys(self, kid: str | None) -> Any:
        del kid
        try:
            text = self._file.read()
            if text != self._text:
                self._keys = key_set(text)
                self._text = text
        except (SecretUnavailableError, ValueError) as error:
            _log.error("keys unusable", extra={"fields": {"reason": str(error)}})
        if self._keys is None:
            raise no_keys()
        return self._keys


class KeyAddress:
    """A JWKS behind a URL: cached, looked up again for an unknown key id, kept while it is down."""

    def __init__(self, url: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._clock = clock
        self._keys: Any = None
        self._known: frozenset[str] = frozenset()
        self._stale_at = 0.0
        self._again_at = 0.0
        self._lock = asyncio.Lock()

    async def keys(self, kid: str | None) -> Any:
        if self._wants_look(kid):
            async with self._lock:
                if self._wants_look(kid):  # another request may have looked meanwhile
                    await self._look()
        if self._keys is None:
            raise no_keys()
        return self._keys

    def _wants_look(self, kid: str | None) -> bool:
        now = self._clock()
        if now < self._again_at:
            return False
        unknown = kid is not None and kid not in self._known
        return self._keys is None or unknown or now >= self._stale_at

    async def _look(self) -> None:
        self._again_at = self._clock() + REFRESH_PAUSE_SECONDS
        try:
            keys = key_set(await _fetched(self._url))
        except (httpx.HTTPError, ValueError) as error:
            reason = f"{type(error).__name__}: {error}"
            _log.warning("keys not fetched", extra={"fields": {"reason": reason}})
            if self._keys is None:  # nobody can be let in: the next request asks again soon
                self._again_at = self._clock() + 1
            return
        self._keys = keys
        self._known = frozenset(key.kid for key in keys.keys if key.kid)
        self._stale_at = self._clock() + FRESH_SECONDS


async def _fetched(url: str) -> str:
    async with (
        httpx.AsyncClient(timeout=FETCH_SECONDS, trust_env=False) as client,
        client.stream("GET", url) as answer,
    ):
        answer.raise_for_status()
        body = b""
        async for piece in answer.aiter_bytes():
            body += piece
            if len(body) > MAX_BYTES:
                raise ValueError(f"it is longer than {MAX_BYTES} bytes")
    return body.decode()


def no_keys() -> Exception:
    """Tokens can't be told from forgeries just now."""
    return unavailable("tokens can't be verified just now", code="keys_unavailable")
