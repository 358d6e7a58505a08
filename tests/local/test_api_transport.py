"""What a busy or starting API server answers, and how often it is asked again."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from local.api_transport import ApiError, ApiTransport, ApiUnreachable
from local.kubeconfig import Kubeconfig
from tests.harness.http_server import serving

pytestmark = pytest.mark.unit

STARTING = "the request has been made before all known HTTP paths have been installed"


class Server:
    """Refuses the first calls the way a starting API server does, then answers."""

    def __init__(self, refusals: int, *, status: int = 503, retry_after: str | None = "5") -> None:
        self.refusals = refusals
        self.status = status
        self.headers = {"Retry-After": retry_after} if retry_after else {}
        self.calls: list[str] = []

    async def answer(self, request: Request) -> JSONResponse:
        self.calls.append(request.method)
        if len(self.calls) > self.refusals:
            return JSONResponse({"kind": "ConfigMap"})
        body = {"kind": "Status", "code": self.status, "reason": "Busy", "message": STARTING}
        return JSONResponse(body, self.status, self.headers)


@contextmanager
def client(
    server: Server, tmp_path: Path, *, timeout_seconds: float = 10.0
) -> Iterator[ApiTransport]:
    methods = ["GET", "POST"]
    with serving(Starlette(routes=[Route("/api", server.answer, methods=methods)])) as url:
        file = tmp_path / "kubeconfig"
        file.write_text(
            "{apiVersion: v1, kind: Config, current-context: c, "
            f"clusters: [{{name: c, cluster: {{server: '{url}'}}}}], "
            "users: [{name: u, user: {token: t}}], "
            "contexts: [{name: c, context: {cluster: c, user: u}}]}"
        )
        with ApiTransport(Kubeconfig.read(file, None), timeout_seconds=timeout_seconds) as made:
            yield made


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_starting_server_is_asked_until_it_answers(
    status: int, method: str, tmp_path: Path
) -> None:
    server = Server(2, status=status)
    with client(server, tmp_path) as transport:
        assert transport.request(method, "/api", body={} if method == "POST" else None)
    assert server.calls == [method] * 3


def test_a_refusal_that_asks_for_no_retry_is_the_answer(tmp_path: Path) -> None:
    server = Server(1, retry_after=None)
    with client(server, tmp_path) as transport, pytest.raises(ApiError) as refused:
        transport.request("GET", "/api")
    assert refused.value.status == 503
    assert len(server.calls) == 1


def test_patience_has_an_end(tmp_path: Path) -> None:
    server = Server(1000)
    with (
        client(server, tmp_path, timeout_seconds=1.2) as transport,
        pytest.raises(ApiError, match="HTTP paths") as refused,
    ):
        transport.request("GET", "/api")
    assert refused.value.status == 503
    assert len(server.calls) >= 2


GARBLED = "[SSL: TLSV1_ALERT_DECODE_ERROR] tlsv1 alert decode error (_ssl.c:992)"


@pytest.mark.parametrize("alerts", [1, 2])
def test_what_a_server_could_not_read_is_said_once_more(
    alerts: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, tried = Server(0), 0
    send = httpx.Client.request

    def garbled(self: httpx.Client, *args: Any, **more: Any) -> httpx.Response:
        nonlocal tried
        tried += 1
        if tried <= alerts:
            raise httpx.ReadError(GARBLED)
        return send(self, *args, **more)

    monkeypatch.setattr(httpx.Client, "request", garbled)
    with client(server, tmp_path) as transport:
        if alerts == 1:
            assert transport.request("POST", "/api", body={})
        else:
            with pytest.raises(ApiUnreachable, match="decode error"):
                transport.request("POST", "/api", body={})
    assert tried == 2


def test_any_other_end_of_a_connection_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def cut(self: httpx.Client, *_: Any, **__: Any) -> httpx.Response:
        tried.append(self)
        raise httpx.ReadError("connection reset")

    monkeypatch.setattr(httpx.Client, "request", cut)
    with client(Server(0), tmp_path) as transport, pytest.raises(ApiUnreachable, match="reset"):
        transport.request("GET", "/api")
    assert len(tried) == 1
