"""Who the caller is: tenants come from verified places only."""

import base64
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


def publish(path: Path, text: str) -> None:
    path.write_text(text)


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
        # some tokens are made when the tests are collected
        "exp": int(time.time()) + 7200,
        "sub": "kim",
        "tenant": "acme",
        "roles": ["approver"],
    }
    claims = {name: value for name, value in (claims | changed).items() if value is not None}
    header = {"alg": alg, "kid": "one"}
    text = jwt.encode(header, claims, key, algorithms=[alg])
    return {"authorization": f"Bearer {text}"}


async def test_tenant_user_and_roles_are_the_tokens_claims(verifier: Authenticator) -> None:
    identity = await verifier.identify(token() | {"x-tenant-id": "rival"})
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
        (token(padding="x" * 20_000), 401),
    ],
)
async def test_a_token_that_proves_nothing_is_refused(
    verifier: Authenticator, headers: dict[str, str], status: int
) -> None:
    with pytest.raises(RequestError) as caught:
        await verifier.identify(headers)
    assert caught.value.status == status


async def test_the_public_key_is_no_shared_secret(verifier: Authenticator) -> None:
    """The classic confusion: a token signed by HMAC with the public key as its secret."""
    secret = OctKey.import_key(key_set(KEY))
    with pytest.raises(RequestError) as caught:
        await verifier.identify(token(secret, alg="HS256"))
    assert caught.value.status == 401


async def test_rotated_keys_are_used_without_a_restart(
    verifier: Authenticator, jwks_file: Path
) -> None:
    await verifier.identify(token())
    publish(jwks_file, key_set(OTHER_KEY))
    with pytest.raises(RequestError):
        await verifier.identify(token())
    publish(jwks_file, key_set(KEY, OTHER_KEY))
    assert (await verifier.identify(token())).tenant == "acme"


async def test_behind_the_gateway_its_header_is_the_tenant() -> None:
    trusting = authenticator(Settings(auth="gateway"))
    caller = await trusting.identify({"x-tenant-id": "acme", "x-user-id": "kim"})
    assert (caller.user, caller.roles) == ("kim", ())
    with pytest.raises(RequestError) as caught:
        await trusting.identify({})
    assert caught.value.status == 401
    with pytest.raises(RequestError):
        await trusting.identify({"x-tenant-id": 'a" or ""=="'})


@pytest.mark.parametrize("user", ["two words", "tab\t", "", None, "x" * 129])
async def test_a_subject_that_is_no_plain_name_makes_the_caller_nobody(
    verifier: Authenticator, user: Any
) -> None:
    assert (await verifier.identify(token(sub=user))).user == ""


@pytest.mark.parametrize("roles", ["approver", {"approver": True}, None, [1, None]])
async def test_roles_of_another_form_are_no_roles(verifier: Authenticator, roles: Any) -> None:
    assert (await verifier.identify(token(roles=roles))).roles == ()


async def test_a_token_without_a_signature_is_refused(verifier: Authenticator) -> None:
    signed = token()["authorization"].removeprefix("Bearer ")
    _, claims, _ = signed.split(".")
    header = base64.urlsafe_b64encode(b'{"alg":"none","kid":"one"}').rstrip(b"=").decode()
    for forged in (f"{header}.{claims}.", f"{header}.{claims}.AAAA"):
        with pytest.raises(RequestError) as caught:
            await verifier.identify({"authorization": f"Bearer {forged}"})
        assert caught.value.status == 401


async def test_broken_keys_are_no_reason_to_forget_the_good_ones(
    verifier: Authenticator, jwks_file: Path
) -> None:
    await verifier.identify(token())
    publish(jwks_file, "{")
    assert (await verifier.identify(token())).tenant == "acme"


async def test_without_keys_the_answer_is_to_come_back_later(jwks_file: Path) -> None:
    publish(jwks_file, '{"keys": []}')
    refusing = authenticator(
        Settings(auth="jwt", jwks_file=jwks_file, jwt_issuer=ISSUER, jwt_audience=AUDIENCE)
    )
    with pytest.raises(RequestError) as caught:
        await refusing.identify(token())
    assert (caught.value.status, caught.value.code) == (503, "keys_unavailable")
    assert caught.value.retry_after_seconds


CONTROLLER = "spiffe://cluster.local/ns/kagent/sa/kagent-controller"


def through(uri: str) -> str:
    """The header as Istio's proxy writes it."""
    return f'By=spiffe://cluster.local/ns/ai-agents/sa/a;Hash=00;Subject="CN=x";URI={uri}'


@pytest.mark.parametrize(
    "forwarded",
    [
        "",
        through("spiffe://cluster.local/ns/tenant-a/sa/kagent-controller"),
        f"{through(CONTROLLER)},{through('spiffe://cluster.local/ns/tenant-a/sa/other')}",
        f"By={CONTROLLER};Hash=00",
    ],
)
async def test_only_the_controllers_mesh_identity_may_name_the_user(forwarded: str) -> None:
    settings = Settings(
        auth="gateway", controller_identity=CONTROLLER, controller_tenant="platform"
    )
    door = authenticator(settings)
    named = {"x-user-id": "kim"}
    caller = await door.identify(named | {"x-forwarded-client-cert": through(CONTROLLER)})
    assert (caller.tenant, caller.user) == ("platform", "kim")
    with pytest.raises(RequestError) as caught:
        await door.identify(named | {"x-forwarded-client-cert": forwarded})
    assert caught.value.status == 401
