"""Requests to a Kubernetes API server and its errors, below any notion of kinds."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

from local.kubeconfig import Kubeconfig

Manifest = dict[str, Any]

BUSY = frozenset({httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE})
LONGEST_PAUSE_SECONDS = 0.5
ALERT = "ALERT_DECODE_ERROR"
"""The server could not read a record, seen once in thousands of new connections on a busy machine;
which side garbled it is not known."""


@dataclass(frozen=True)
class Cause:
    """One field that the API server refused."""

    field: str
    message: str
    reason: str = ""


class ApiError(Exception):
    """The API server's answer, status 400 and above; 0 when there was no answer."""

    def __init__(
        self, status: int, reason: str, message: str, causes: tuple[Cause, ...] = ()
    ) -> None:
        super().__init__(f"{reason} ({status}): {message}" if status else f"{reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.causes = causes

    @classmethod
    def from_status(cls, code: int, body: Any) -> "ApiError":
        """Read a `Status` object; anything else becomes the message as it stands."""
        if not isinstance(body, dict) or body.get("kind") != "Status":
            return cls(code, "HTTP", str(body)[:500])
        found = (body.get("details") or {}).get("causes") or []
        causes = tuple(
            Cause(str(c.get("field", "")), str(c.get("message", "")), str(c.get("reason", "")))
            for c in found
        )
        status = int(body.get("code") or code)
        return cls(status, str(body.get("reason") or "Error"), str(body.get("message")), causes)


class ApiUnreachable(ApiError):  # noqa: N818 - the condition, not another word for "error"
    """No answer: connection refused, cut, or too slow."""


class ApiTransport:
    """One API server, one user. Threads may share it. All methods raise ApiError.

    An answer 429 or 503 with Retry-After means that nothing was done yet (a starting server, its
    priority queues); such a call is made again for up to `timeout_seconds`. So is one, at once and
    only once, that the server refused by a TLS alert: it had not read it whole.
    """

    def __init__(
        self,
        kubeconfig: Kubeconfig,
        *,
        timeout_seconds: float = 30.0,
        on_warning: Callable[[str], None] | None = None,
    ) -> None:
        headers = {"User-Agent": "agentic-platform"}
        if kubeconfig.token:
            headers["Authorization"] = f"Bearer {kubeconfig.token}"
        self.server = kubeconfig.server
        self._on_warning = on_warning
        self._patience_seconds = timeout_seconds
        # Proxy variables are for registries, never for an API server on this machine.
        self._http = httpx.Client(
            base_url=kubeconfig.server,
            verify=kubeconfig.ssl_context(),
            headers=headers,
            timeout=timeout_seconds,
            trust_env=False,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def text(self, path: str, *, params: dict[str, str] | None = None) -> str:
        """The body of a GET as text: logs, `/readyz?verbose`, `/metrics`."""
        return self._send("GET", path, params=params).text

    def lines(self, path: str, *, params: dict[str, str], silence_seconds: float) -> Iterator[str]:
        """The lines of a streamed answer, until the server ends it: watches, followed logs."""
        limit = httpx.Timeout(10.0, read=silence_seconds)
        try:
            with self._http.stream("GET", path, params=params, timeout=limit) as response:
                if response.status_code >= 400:
                    response.read()
                    raise ApiError.from_status(response.status_code, _body(response))
                yield from response.iter_lines()
        except httpx.TransportError as error:
            raise ApiUnreachable(0, "Unreachable", f"{self.server}: {error}") from error

    def request(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        body: Any = None,
        media: str = "application/json",
        accept: str = "application/json",
    ) -> Manifest:
        """One call by URL path: subresources, discovery, whatever has no method of its own."""
        response = self._send(method, path, params=params, body=body, media=media, accept=accept)
        answer = _body(response)
        return answer if isinstance(answer, dict) else {}

    def _send(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        body: Any = None,
        media: str = "application/json",
        accept: str = "application/json",
    ) -> httpx.Response:
        content = None if body is None else json.dumps(body).encode()
        headers = {"Accept": accept} | ({} if body is None else {"Content-Type": media})
        deadline = time.monotonic() + self._patience_seconds
        alerted = False
        while True:
            try:
                response = self._http.request(
                    method, path, params=params, content=content, headers=headers
                )
            except httpx.TransportError as error:
                if ALERT in str(error) and not alerted:
                    alerted = True
                    continue
                raise ApiUnreachable(0, "Unreachable", f"{self.server}: {error}") from error
            pause = _asked_pause(response)
            if pause is None or time.monotonic() + pause > deadline:
                break
            time.sleep(pause)
        if self._on_warning:
            for warning in response.headers.get_list("warning"):
                self._on_warning(warning.split('"')[1] if '"' in warning else warning)
        if response.status_code >= 400:
            raise ApiError.from_status(response.status_code, _body(response))
        return response


def _asked_pause(response: httpx.Response) -> float | None:
    """Seconds until the call may be made again; None when the answer is the answer."""
    asked = response.headers.get("retry-after", "")
    if response.status_code not in BUSY or not asked.isdecimal():
        return None
    # Servers ask for whole seconds, five while starting; they are ready much sooner.
    return min(float(asked), LONGEST_PAUSE_SECONDS)


def _body(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return response.text
