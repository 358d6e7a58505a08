"""Keys behind a URL: cached, refreshed for an unknown key id, kept while the issuer is down."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from joserfc.jwk import ECKey, KeySet, OctKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agent_runtime.errors import RequestError
from agent_runtime.key_source import (
    FRESH_SECONDS,
    MAX_BYTES,
    REFRESH_PAUSE_SECONDS,
    KeyAddress,
    key_set,
)
from tests.harness.http_server import serving

pytestmark = pytest.mark.unit

ONE, TWO = (ECKey.generate_key("P-256", {"kid": kid, "alg": "ES256"}) for kid in ("one", "two"))


@dataclass
class Issuer:
    """An issuer's key endpoint over real HTTP."""

    url: str = ""
    keys: list[ECKey] = field(default_factory=lambda: [ONE])
    answer: Response | None = None
    asked: int = 0

    def app(self) -> Starlette:
        async def published(request: Request) -> Response:
            self.asked += 1
            return self.answer or JSONResponse(KeySet(list(self.keys)).as_dict(private=False))

        return Starlette(routes=[Route("/keys", published)])


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    with serving(made.app()) as url:
        made.url = f"{url}/keys"
        yield made


def kids(keys: KeySet) -> list[str | None]:
    return [key.kid for key in keys.keys]


async def test_keys_are_fetched_once_and_again_when_they_are_stale(issuer: Issuer) -> None:
    clock = Clock()
    source = KeyAddress(issuer.url, clock=clock)
    for _ in range(3):
        assert kids(await source.keys("one")) == ["one"]
    assert issuer.asked == 1
    clock.now += FRESH_SECONDS + 1
    await source.keys("one")
    assert issuer.asked == 2


async def test_an_unknown_key_id_is_looked_up_but_made_up_ones_flood_nobody(
    issuer: Issuer,
) -> None:
    clock = Clock()
    source = KeyAddress(issuer.url, clock=clock)
    await source.keys("one")
    issuer.keys.append(TWO)
    for made_up in range(20):
        await source.keys(f"made-up-{made_up}")
    assert issuer.asked == 1, "within the pause nothing is asked"
    clock.now += REFRESH_PAUSE_SECONDS
    assert kids(await source.keys("two")) == ["one", "two"]
    assert issuer.asked == 2


@pytest.mark.parametrize(
    "answer",
    [
        Response("down", 503),
        Response("{", media_type="application/json"),
        Response("[]", media_type="application/json"),
        Response(b"\xff\xfe", media_type="application/json"),
        Response("x" * (MAX_BYTES + 1)),
    ],
    ids=["down", "cut", "a list", "no text", "endless"],
)
async def test_while_the_issuer_is_down_or_talks_nonsense_its_last_keys_hold(
    issuer: Issuer, answer: Response
) -> None:
    clock = Clock()
    source = KeyAddress(issuer.url, clock=clock)
    await source.keys("one")
    issuer.answer = answer
    clock.now += FRESH_SECONDS + 1
    assert kids(await source.keys("one")) == ["one"]
    assert issuer.asked == 2


async def test_without_any_keys_requests_are_told_to_come_back_and_the_next_look_is_soon(
    issuer: Issuer,
) -> None:
    clock = Clock()
    issuer.answer = Response("down", 503)
    source = KeyAddress(issuer.url, clock=clock)
    with pytest.raises(RequestError) as caught:
        await source.keys("one")
    assert (caught.value.status, caught.value.code) == (503, "keys_unavailable")
    issuer.answer = None
    clock.now += 1
    assert kids(await source.keys("one")) == ["one"]


def test_a_shared_secret_among_the_keys_is_not_for_verifying() -> None:
    listed = KeySet([ONE, OctKey.generate_key(256)]).as_dict(private=False)
    listed["keys"].append({"kty": "oct", "k": "c2VjcmV0", "kid": "shared"})
    assert kids(key_set(json.dumps(listed))) == ["one"]
