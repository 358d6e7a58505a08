"""Who is asking: the tenant comes from a verified token or from the gateway, never from a body."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from agent_runtime.errors import RequestError
from agent_runtime.secret_file import SecretFile
from agent_runtime.settings import Settings

TENANT_HEADER = "x-tenant-id"
USER_HEADER = "x-user-id"
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_USER = re.compile(r"[\x21-\x7e]{1,128}")
_ALGORITHMS = ["ES256", "ES384", "RS256", "PS256", "EdDSA"]
_LEEWAY_SECONDS = 30


@dataclass(frozen=True)
class Identity:
    """The verified caller."""

    tenant: str
    user: str = ""
    roles: tuple[str, ...] = ()


class Authenticator(Protocol):
    """Turns a request's headers into an Identity, or raises a 401 or 403 RequestError."""

    def identify(self, headers: Mapping[str, str]) -> Identity: ...


def authenticator(settings: Settings) -> Authenticator:
    """The authenticator that AGENT_AUTH names."""
    if settings.auth == "jwt":
        return _Token(settings)
    if settings.auth == "gateway":
        return _Gateway()
    return _Anonymous()


class _Anonymous:
    """Development only: everybody is the tenant `local`."""

    def identify(self, headers: Mapping[str, str]) -> Identity:
        del headers
        return Identity("local")


class _Gateway:
    """Trusts the header that the gateway sets after it dropped the client's own.

    The Pod's NetworkPolicy lets only the gateway reach this port.
    """

    def identify(self, headers: Mapping[str, str]) -> Identity:
        tenant = headers.get(TENANT_HEADER, "")
        if not tenant:
            raise _unauthorized("no tenant: call this agent through the gateway")
        user = headers.get(USER_HEADER, "")
        return Identity(_checked_tenant(tenant), user if _USER.fullmatch(user) else "")


class _Token:
    """Verifies a bearer JWT against a mounted JWKS; tenant, user and roles are its claims."""

    def __init__(self, settings: Settings) -> None:
        if not (settings.jwks_file and settings.jwt_issuer and settings.jwt_audience):
            raise ValueError("AGENT_AUTH=jwt needs a JWKS file, an issuer and an audience")
        self._file = SecretFile(settings.jwks_file)
        self._issuer = settings.jwt_issuer
        self._audience = settings.jwt_audience
        self._text = ""
        self._keys: Any = None

    def identify(self, headers: Mapping[str, str]) -> Identity:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _unauthorized("send a token: Authorization: Bearer <JWT>")
        claims = self._verified(token.strip())
        roles = claims.get("roles")
        named = [str(role) for role in roles] if isinstance(roles, list) else []
        tenant = claims.get("tenant")
        if not isinstance(tenant, str):
            raise RequestError(403, "no_tenant", "the token has no claim `tenant`")
        return Identity(_checked_tenant(tenant), str(claims.get("sub", ""))[:128], tuple(named))

    def _verified(self, token: str) -> dict[str, Any]:
        from joserfc import jwt
        from joserfc.errors import JoseError

        wanted = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": self._audience},
            exp={"essential": True},
        )
        try:
            decoded = jwt.decode(token, self._key_set(), algorithms=_ALGORITHMS)
            wanted.validate(decoded.claims)
        except (JoseError, ValueError) as error:
            reason = error.error if isinstance(error, JoseError) else "invalid"
            raise _unauthorized(f"the token is not accepted: {reason}") from None
        return dict(decoded.claims)

    def _key_set(self) -> Any:
        from joserfc.jwk import KeySet

        text = self._file.read()
        if text != self._text:
            self._keys = KeySet.import_key_set(json.loads(text))
            self._text = text
        return self._keys


def _unauthorized(message: str) -> RequestError:
    return RequestError(401, "unauthorized", message)


def _checked_tenant(tenant: str) -> str:
    if not _TENANT.fullmatch(tenant):
        raise RequestError(403, "bad_tenant", "the tenant's name is not usable")
    return tenant
