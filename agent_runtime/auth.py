"""Who is asking: tenant, user and roles come from a verified place, never from a body."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from agent_runtime.errors import RequestError
from agent_runtime.key_source import KeyAddress, KeyFile, KeySource
from agent_runtime.secret_file import SecretFile
from agent_runtime.settings import Settings

TENANT_HEADER = "x-tenant-id"
USER_HEADER = "x-user-id"
PEER_HEADER = "x-forwarded-client-cert"
"""Written by the mesh's proxy beside this container: whom it spoke to over mutual TLS."""
ALGORITHMS = ["ES256", "ES384", "RS256", "PS256", "EdDSA", "Ed25519"]
"""Only signatures: a shared secret proves nothing, since every verifier could sign with it."""

_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_USER = re.compile(r"[\x21-\x7e]{1,128}")
_LEEWAY_SECONDS = 30
_MAX_TOKEN = 16_384


@dataclass(frozen=True)
class Identity:
    """The verified caller."""

    tenant: str
    user: str = ""
    roles: tuple[str, ...] = ()


class Authenticator(Protocol):
    """Turns a request's headers into an Identity; raises a 401, 403 or 503 RequestError."""

    async def identify(self, headers: Mapping[str, str]) -> Identity: ...


def authenticator(settings: Settings) -> Authenticator:
    """The authenticator that AGENT_AUTH names, with the controller's door where it is open."""
    if settings.auth == "none":
        return _Anonymous()
    chosen: Authenticator = _Token(settings) if settings.auth == "jwt" else _Gateway()
    if settings.controller_identity and settings.controller_tenant:
        return _Controller(settings.controller_identity, settings.controller_tenant, chosen)
    return chosen


class _Anonymous:
    """Development only: everybody is the tenant `local`."""

    async def identify(self, headers: Mapping[str, str]) -> Identity:
        del headers
        return Identity("local")


class _Gateway:
    """Trusts the headers that the gateway sets after it dropped the client's own.

    The Pod's NetworkPolicy lets only the gateway and the controller reach this port. Roles are
    not among the headers: an agent whose approvals need a role verifies tokens itself.
    """

    async def identify(self, headers: Mapping[str, str]) -> Identity:
        tenant = headers.get(TENANT_HEADER, "")
        if not tenant:
            raise _unauthorized("no tenant: call this agent through the gateway")
        return Identity(_checked_tenant(tenant), _user(headers))


class _Controller:
    """Lets kagent's controller name the user, where the mesh vouches that it is the controller."""

    def __init__(self, identity: str, tenant: str, others: Authenticator) -> None:
        self._identity = identity
        self._tenant = tenant
        self._others = others

    async def identify(self, headers: Mapping[str, str]) -> Identity:
        if self._identity in _peers(headers.get(PEER_HEADER, "")):
            return Identity(self._tenant, _user(headers))
        return await self._others.identify(headers)


class _Token:
    """Verifies a bearer JWT; tenant, user and roles are its claims."""

    def __init__(self, settings: Settings) -> None:
        if not (settings.jwt_issuer and settings.jwt_audience):
            raise ValueError("AGENT_AUTH=jwt needs an issuer and an audience")
        self._keys = _key_source(settings)
        self._issuer = settings.jwt_issuer
        self._audience = settings.jwt_audience
        self._tenant_claim = settings.jwt_tenant_claim
        self._user_claim = settings.jwt_user_claim
        self._roles_claim = settings.jwt_roles_claim

    async def identify(self, headers: Mapping[str, str]) -> Identity:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise _unauthorized("send a token: Authorization: Bearer <JWT>")
        claims = await self._verified(token.strip())
        tenant = claims.get(self._tenant_claim)
        if not isinstance(tenant, str):
            text = f"the token has no claim `{self._tenant_claim}`"
            raise RequestError(403, "no_tenant", text)
        user = _printable(claims.get(self._user_claim))
        return Identity(_checked_tenant(tenant), user, _roles(claims.get(self._roles_claim)))

    async def _verified(self, token: str) -> dict[str, Any]:
        from joserfc import jws, jwt
        from joserfc.errors import JoseError

        if len(token) > _MAX_TOKEN:
            raise _unauthorized("the token is too long")
        wanted = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": self._audience},
            exp={"essential": True},
        )
        try:
            kid = jws.extract_compact(token.encode()).headers().get("kid")
            keys = await self._keys.keys(kid if isinstance(kid, str) else None)
            decoded = jwt.decode(token, keys, algorithms=ALGORITHMS)
            wanted.validate(decoded.claims)
        except (JoseError, ValueError, TypeError) as error:
            reason = error.error if isinstance(error, JoseError) else "invalid"
            raise _unauthorized(f"the token is not accepted: {reason}") from None
        return dict(decoded.claims)


def _key_source(settings: Settings) -> KeySource:
    if settings.jwks_url:
        return KeyAddress(settings.jwks_url)
    if settings.jwks_file:
        return KeyFile(SecretFile(settings.jwks_file))
    raise ValueError("AGENT_AUTH=jwt needs AGENT_JWKS_FILE or AGENT_JWKS_URL")


def _peers(forwarded: str) -> set[str]:
    """The URIs of the last hop in Envoy's `x-forwarded-client-cert`, which this Pod's proxy wrote.

    Format: https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers
    """
    last = forwarded.rpartition(",")[2]
    pairs = (field.partition("=") for field in last.split(";"))
    return {value.strip('" ') for key, _, value in pairs if key.strip().upper() == "URI"}


def _user(headers: Mapping[str, str]) -> str:
    user = headers.get(USER_HEADER, "")
    return user if _USER.fullmatch(user) else ""


def _printable(user: object) -> str:
    """A user that is no word of its own is nobody: half a name could be another's."""
    return user if isinstance(user, str) and _USER.fullmatch(user) else ""


def _roles(value: object) -> tuple[str, ...]:
    named = value if isinstance(value, list) else []
    return tuple(role for role in named if isinstance(role, str))[:64]


def _unauthorized(message: str) -> RequestError:
    return RequestError(401, "unauthorized", message)


def _checked_tenant(tenant: str) -> str:
    if not _TENANT.fullmatch(tenant):
        raise RequestError(403, "bad_tenant", "the tenant's name is not usable")
    return tenant
