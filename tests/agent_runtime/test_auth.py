"""Who the caller is: tenants come from verified places only."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey

from agent_runtime.auth import Authenticator, authenticator
from agent_runtime.errors import RequestError
from agent_runtime.settings import Settings

pytestmark = pytest.mark.unit

ISSUER, AUDIENCE = "https://issuer.local", "agents"
KEY = ECKey.generate_key("P-256", {"kid": "one", "alg": "ES256"})
OTHER_KEY = ECKey.generate_key("P-256", {"kid": "two", "alg": "ES256"})


def key_set(*keys: ECKey) -> str:
    return json.dumps(KeySet(list(keys)).as_dict(private=False))


@pytest.fixture
def jwks_file(tmp_path: Path) -> Path:
    path = tmp_path / "jwks.json"
    path.write_text(key_set(KEY))
    return path


@pytest.fixture
def verifier(jwks_file: Path) -> Authenticator:
    return authenticator(
        Settings(auth="jwt", jwks_file=jwks_file, jwt_issuer=ISSUER, jwt_audience=AUDIENCE)
    )


def token(key: Any = KEY, *, alg: str = "ES256", **changed: Any) -> dict[str, str]:
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "exp": int(time.time()) + 60,
        "sub": "kim",
        "tenant": "acme",
        "roles": ["approver"],
    }
    claims = {name: value for name, value in (claims | changed).items() if value is not None}
    header = {"alg": alg, "kid": "one"}
    text = jwt.encode(header, claims, key, algorithms=[alg])
    return {"authorization": f"Bearer {text}"}


def test_tenant_user_and_roles_are_the_tokens_claims(verifier: Authenticator) -> None:
    identity = verifier.identify(token() | {"x-tenant-id": "rival"})
    assert (identity.tenant, identity.user, identity.roles) == ("acme", "kim", ("approver",))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"authorization": "Basic eA=="}, 401),
        ({"authorization": "Bearer not-a-token"}, 401),
        ({"x-tenant-id": "acme"}, 401),
        (token(OTHER_KEY), 401),
        (token(exp=int(time.time()) - 3600), 401),
        (token(exp=None), 401),
        (token(iss="https://elsewhere"), 401),
        (token(aud="others"), 401),
        (token(aud=None), 401),
        (token(tenant=None), 403),
        (token(tenant="a/../b"), 403),
        (token(tenant=7), 403),
    ],
)
def test_a_token_that_proves_nothing_is_refused(
    verifier: Authenticator, headers: dict[str, str], status: int
) -> None:
    with pytest.raises(RequestError) as caught:
        verifier.identify(headers)
    assert caught.value.status == status


def test_the_public_key_is_no_shared_secret(verifier: Authenticator, jwks_file: Path) -> None:
    """The classic confusion: a token signed by HMAC with the public key as its secret."""
    secret = OctKey.import_key(jwks_file.read_text())
    with pytest.raises(RequestError) as caught:
        verifier.identify(token(secret, alg="HS256"))
    assert caught.value.status == 401


def test_rotated_keys_are_used_without_a_restart(verifier: Authenticator, jwks_file: Path) -> None:
    verifier.identify(token())
    jwks_file.write_text(key_set(OTHER_KEY))
    with pytest.raises(RequestError):
        verifier.identify(token())
    jwks_file.write_text(key_set(KEY, OTHER_KEY))
    assert verifier.identify(token()).tenant == "acme"


def test_behind_the_gateway_its_header_is_the_tenant() -> None:
    trusting = authenticator(Settings(auth="gateway"))
    assert trusting.identify({"x-tenant-id": "acme", "x-user-id": "kim"}).user == "kim"
    with pytest.raises(RequestError) as caught:
        trusting.identify({})
    assert caught.value.status == 401
    with pytest.raises(RequestError):
        trusting.identify({"x-tenant-id": 'a" or ""=="'})
