"""Bedrock without a key: Envoy signs, and botocore's own signer agrees with the signature."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from inference.provider import HostedModel, Provider
from inference.routing import Backend, ModelRoute, RouteTable
from tests.components.gateway_fixture import Platform, platform
from tests.harness.http_server import serving

pytestmark = pytest.mark.services

REGION = "us-west-2"
HOST = f"bedrock-runtime.{REGION}.amazonaws.com"
KEY_ID, SECRET, SESSION = "AKIDEXAMPLE", "a-secret", "a-session"


def _routes(ports: dict[str, int]) -> RouteTable:
    return RouteTable(
        models=(
            ModelRoute(
                name="gpt-4",
                backends=(Backend(service="own", port=ports["own"]),),
                hosted=(HostedModel(provider="aws", model="openai.gpt-oss-120b-1:0"),),
            ),
        ),
        providers={
            "aws": Provider(kind="bedrock", region=REGION, port=ports["bedrock"], tls=False)
        },
    )


@contextmanager
def _gateway(folder: Path) -> Iterator[Platform]:
    hosts = {HOST: "127.0.0.1"}
    with platform(_routes, ("own", "bedrock"), folder, more_hosts=hosts) as running:
        running.kill("own")
        yield running


def _expected(seen: dict[str, Any], signed: list[str], secret: str) -> str:
    """The signature that botocore gives to what arrived, over the headers named as signed."""
    headers = {name: seen["headers"][name] for name in signed}
    asked = AWSRequest("POST", f"https://{HOST}{seen['path']}", headers, seen["body"].encode())
    asked.context["timestamp"] = headers["x-amz-date"]
    signer = SigV4Auth(Credentials(KEY_ID, secret, SESSION), "bedrock", REGION)
    text = signer.string_to_sign(asked, signer.canonical_request(asked))
    return str(signer.signature(text, asked))


def _signature(seen: dict[str, Any]) -> tuple[list[str], str, str]:
    """Signed headers, scope and signature of the Authorization header."""
    kind, _, rest = seen["headers"]["authorization"].partition(" ")
    assert kind == "AWS4-HMAC-SHA256"
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    return parts["SignedHeaders"].split(";"), parts["Credential"], parts["Signature"]


def _check(gateway: Platform) -> None:
    question = {"model": "gpt-4", "messages": [{"role": "user", "content": "héllo"}]}
    answer = gateway.post(question)
    assert answer.json()["backend"] == "bedrock", answer.text
    seen = gateway.backends["bedrock"].requests[-1]
    assert seen["path"] == "/openai/v1/chat/completions"
    assert json.loads(seen["body"]) == question | {"model": "openai.gpt-oss-120b-1:0"}
    assert not {"x-tenant-id", "x-model-id", "x-forwarded-for"} & set(seen["headers"])
    assert seen["headers"]["x-amz-security-token"] == SESSION
    digest = hashlib.sha256(seen["body"].encode()).hexdigest()
    assert seen["headers"]["x-amz-content-sha256"] == digest, "the body is not in the signature"
    signed, credential, signature = _signature(seen)
    assert credential.split("/")[0] == KEY_ID
    assert credential.split("/")[2:] == [REGION, "bedrock", "aws4_request"]
    own = {"host", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"}
    assert {*signed} == own | {"content-type"}
    assert signature == _expected(seen, signed, SECRET)
    assert signature != _expected(seen, signed, "another secret")


def test_the_fallback_to_bedrock_is_signed_with_the_environments_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", SESSION)
    with _gateway(tmp_path) as gateway:
        _check(gateway)
        written = (tmp_path / "envoy.yaml").read_text()
        assert SECRET not in written
        assert KEY_ID not in written


def test_the_fallback_to_bedrock_is_signed_with_the_pods_identity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    token.write_text("the-pods-token")

    async def credentials(request: Request) -> JSONResponse:
        if request.headers.get("authorization") != "the-pods-token":
            return JSONResponse({}, status_code=401)
        given = {"AccessKeyId": KEY_ID, "SecretAccessKey": SECRET, "Token": SESSION}
        return JSONResponse(given | {"Expiration": "2099-01-01T00:00:00Z"})

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with serving(Starlette(routes=[Route("/v1/credentials", credentials)])) as agent:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{agent}/v1/credentials")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(token))
        with _gateway(tmp_path) as gateway:
            _check(gateway)
