"""The part of the kubelet's HTTPS API that `kubectl logs` needs: `/containerLogs`, read-only."""

import asyncio
import contextlib
import os
import ssl
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from local.node_agent.log_file import LogFile

REQUEST_BYTES = 16 * 1024
REQUEST_SECONDS = 10.0
CHUNK_BYTES = 64 * 1024
FindLog = Callable[[str, str, str], LogFile | None]
"""By namespace, Pod and container."""


class BadRequest(ValueError):  # noqa: N818 - the name of the status
    """What the answer 400 says."""


@dataclass(frozen=True)
class LogQuery:
    """Which part of a log is wanted."""

    follow: bool = False
    previous: bool = False
    tail_lines: int | None = None
    limit_bytes: int | None = None

    @classmethod
    def parse(cls, query: str) -> "LogQuery":
        """Raises BadRequest for what this node can't answer truly."""
        found = {key: values[-1] for key, values in parse_qs(query).items()}
        for unsupported in ("timestamps", "sinceTime", "sinceSeconds"):
            if found.get(unsupported) not in (None, "false"):
                raise BadRequest(
                    f"{unsupported} is not supported: this node keeps no time of each line"
                )
        return cls(
            follow=found.get("follow") == "true",
            previous=found.get("previous") == "true",
            tail_lines=_number(found, "tailLines"),
            limit_bytes=_number(found, "limitBytes"),
        )


def server_context(pki: Path) -> ssl.SSLContext | None:
    """TLS that lets in only clients signed by `<pki>/ca.crt`; None when there is no key pair."""
    certificate, key, authority = pki / "kubelet.crt", pki / "kubelet.key", pki / "ca.crt"
    if not (certificate.exists() and key.exists() and authority.exists()):
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(authority)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


class KubeletApi:
    """Serves logs to one sort of client: the API server."""

    def __init__(self, find: FindLog, client: str) -> None:
        self._find = find
        self._client = client
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int, context: ssl.SSLContext) -> None:
        """Raises OSError when the port is taken."""
        self._server = await asyncio.start_server(
            self._serve, host, port, ssl=context, limit=REQUEST_BYTES
        )

    def close(self) -> None:
        if self._server:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ssl.SSLError, TimeoutError, asyncio.IncompleteReadError):
            try:
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), REQUEST_SECONDS)
                await _unless_gone(self._answer(head.decode("latin-1"), writer), reader)
            except asyncio.LimitOverrunError:
                _head(writer, "431 Request Header Fields Too Large")
            finally:
                writer.close()
                await writer.wait_closed()

    async def _answer(self, head: str, writer: asyncio.StreamWriter) -> None:
        if _common_name(writer) != self._client:
            _text(writer, "403 Forbidden", f"only {self._client} may ask")
            return
        method, _, rest = head.partition(" ")
        address = urlsplit(rest.partition(" ")[0])
        parts = [unquote(part) for part in address.path.split("/")[1:]]
        if method != "GET" or len(parts) != 4 or parts[0] != "containerLogs":
            _text(writer, "404 Not Found", "this node serves /containerLogs only (no exec, attach)")
            return
        log = self._find(parts[1], parts[2], parts[3])
        if log is None:
            _text(writer, "404 Not Found", f"container {'/'.join(parts[1:])} does not run here")
            return
        try:
            query = LogQuery.parse(address.query)
        except BadRequest as error:
            _text(writer, "400 Bad Request", str(error))
            return
        await _send_log(log, query, writer)


async def _unless_gone(answer: Coroutine[Any, Any, None], reader: asyncio.StreamReader) -> None:
    """Give up on `answer` when the client hangs up: a followed log may be silent for hours."""
    work = asyncio.ensure_future(answer)
    gone = asyncio.ensure_future(reader.read(1))
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
    finally:
        work.cancel()
        gone.cancel()


async def _send_log(log: LogFile, query: LogQuery, writer: asyncio.StreamWriter) -> None:
    path = log.previous if query.previous else log.path
    if not path.exists():
        what = "previous run" if query.previous else "output yet"
        _text(writer, "400 Bad Request", f"container has no {what}")
        return
    _head(writer, "200 OK")
    left = query.limit_bytes
    stream = _LogStream(path, tail_offset(path, query.tail_lines))
    try:
        while left is None or left > 0:
            data = stream.read()[:left]
            if data:
                left = None if left is None else left - len(data)
                writer.write(b"%x\r\n%b\r\n" % (len(data), data))
                await writer.drain()
            elif log.ended or not query.follow or query.previous:
                break
            else:
                await log.changed()
    finally:
        stream.close()
    writer.write(b"0\r\n\r\n")
    await writer.drain()


class _LogStream:
    """Reads on in the new file when the log has been rotated away."""

    def __init__(self, path: Path, offset: int) -> None:
        self._path = path
        self._stream = path.open("rb")
        self._stream.seek(offset)

    def read(self) -> bytes:
        data = self._stream.read(CHUNK_BYTES)
        if data or not self._path.exists():
            return data
        if os.fstat(self._stream.fileno()).st_ino == self._path.stat().st_ino:
            return b""
        self._stream.close()
        self._stream = self._path.open("rb")
        return self._stream.read(CHUNK_BYTES)

    def close(self) -> None:
        self._stream.close()


def tail_offset(path: Path, lines: int | None) -> int:
    """Where the last `lines` lines begin; 0 for all of them."""
    if lines is None:
        return 0
    starts: deque[int] = deque(maxlen=lines + 1)
    starts.append(0)
    with path.open("rb") as stream:
        position = 0
        for line in stream:
            position += len(line)
            starts.append(position)
    if len(starts) <= lines:
        return 0
    return starts[0]


def _head(writer: asyncio.StreamWriter, status: str) -> None:
    writer.write(
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n"
        "Connection: close\r\n\r\n".encode()
    )


def _text(writer: asyncio.StreamWriter, status: str, text: str) -> None:
    body = (text + "\n").encode()
    _head(writer, status)
    writer.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))


def _common_name(writer: asyncio.StreamWriter) -> str:
    certificate = writer.get_extra_info("peercert") or {}
    pairs = (pair for group in certificate.get("subject", ()) for pair in group)
    return next((value for key, value in pairs if key == "commonName"), "")


def _number(found: dict[str, str], key: str) -> int | None:
    if key not in found:
        return None
    if not found[key].isdecimal():
        raise BadRequest(f"{key} must be a number")
    return int(found[key])
