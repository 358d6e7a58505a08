"""An OTLP/HTTP receiver whose traces can be read: as JSON and as a page.

`POST /v1/traces` (also under `/api/public/otel`, where LangFuse takes them) · `GET /traces` ·
`GET /traces/{trace_id}` · `GET /` · `GET /view/{trace_id}` · `GET /healthz`.
"""

import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from local.workloads.otlp import TRACE_ID, Export, MalformedExportError, from_json, from_protobuf
from local.workloads.serving import LOG_FIELDS, arguments, entry, serve
from local.workloads.trace_page import SECURITY_HEADERS, list_page, trace_page
from local.workloads.trace_store import TraceStore, tree

LARGEST_BODY = 16 * 1024 * 1024
MOST_LISTED = 500


class RefusedError(Exception):
    """A request that is answered with `status` and one line of reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


async def _body(request: Request) -> bytes:
    """The body, decompressed, never more than `LARGEST_BODY` of it."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise RefusedError(415, f"content-encoding {encoding[:20]!r}; send gzip or identity")
    inflate = zlib.decompressobj(wbits=31) if encoding == "gzip" else None
    body = bytearray()
    try:
        async for chunk in request.stream():
            room = LARGEST_BODY + 1 - len(body)
            body += inflate.decompress(chunk, room) if inflate else chunk
            if len(body) > LARGEST_BODY:
                raise RefusedError(413, f"more than {LARGEST_BODY} bytes; export smaller batches")
    except zlib.error as error:
        raise RefusedError(400, "the body is not gzip, as its content-encoding says") from error
    if inflate and not inflate.eof:
        raise RefusedError(400, "the gzip body is cut short")
    return bytes(body)


def _success(export: Export, refused: int, *, as_json: bool) -> Response:
    rejected = export.rejected + refused
    reason = export.reason or ("the trace is full" if refused else "")
    if as_json:
        partial = {"rejectedSpans": str(rejected), "errorMessage": reason} if rejected else {}
        return JSONResponse({"partialSuccess": partial} if rejected else {})
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
        ExportTraceServiceResponse,
    )

    answer = ExportTraceServiceResponse()
    if rejected:
        answer.partial_success.rejected_spans = rejected
        answer.partial_success.error_message = reason
    return Response(answer.SerializeToString(), media_type="application/x-protobuf")


async def _receive(request: Request) -> Response:
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind not in ("application/json", "application/x-protobuf"):
        raise RefusedError(
            415, f"content-type {kind[:40]!r}; send application/x-protobuf or application/json"
        )
    body = await _body(request)
    decode = from_json if kind == "application/json" else from_protobuf
    try:
        export = await run_in_threadpool(decode, body)
    except MalformedExportError as error:
        raise RefusedError(400, str(error)) from error
    store: TraceStore = request.app.state.store
    refused = await run_in_threadpool(store.add, export.spans)
    fields = getattr(request.state, LOG_FIELDS, {})
    fields["spans"] = len(export.spans) - refused
    fields["rejected"] = export.rejected + refused
    return _success(export, refused, as_json=kind == "application/json")


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", "50")
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= MOST_LISTED:
        raise RefusedError(400, f"limit {text[:20]!r}; allowed are 1 to {MOST_LISTED}")
    return int(text)


def _listed(request: Request) -> Response:
    store: TraceStore = request.app.state.store
    return JSONResponse({"traces": store.newest(_limit(request))})


def _tree(request: Request) -> dict[str, object]:
    trace_id = request.path_params["trace_id"].lower()
    if not TRACE_ID.match(trace_id):
        raise RefusedError(400, "a trace id is 32 hexadecimal digits, not all zero")
    store: TraceStore = request.app.state.store
    spans = store.spans(trace_id)
    if not spans:
        raise RefusedError(404, f"no trace {trace_id} (yet: exporters send in batches)")
    return tree(trace_id, spans)


def _shown(request: Request) -> Response:
    return JSONResponse(_tree(request))


def _list_page(request: Request) -> Response:
    store: TraceStore = request.app.state.store
    return HTMLResponse(list_page(store.newest(_limit(request))), headers=SECURITY_HEADERS)


def _trace_page(request: Request) -> Response:
    return HTMLResponse(trace_page(_tree(request)), headers=SECURITY_HEADERS)


def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _refuse(_: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, RefusedError) else 500
    return JSONResponse({"error": str(error)}, status_code=status, headers=SECURITY_HEADERS)


def build_app(store: TraceStore) -> Starlette:
    """The receiver on `store`, which is closed when the app ends."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        store.close()

    routes = [
        Route("/v1/traces", _receive, methods=["POST"]),
        Route("/api/public/otel/v1/traces", _receive, methods=["POST"]),
        Route("/traces", _listed),
        Route("/traces/{trace_id}", _shown),
        Route("/", _list_page),
        Route("/view/{trace_id}", _trace_page),
        Route("/health", _health),
        Route("/healthz", _health),
    ]
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers={RefusedError: _refuse})
    app.state.store = store
    return app


def main() -> None:
    parser = arguments("trace_receiver", "Receive OTLP traces over HTTP and let people read them.")
    parser.add_argument("--data", type=Path, help="folder for traces.db; in memory without it")
    parser.add_argument("--max-traces", type=int, default=2_000, help="older ones are forgotten")
    options = parser.parse_args()
    store = TraceStore(options.data, max_traces=max(1, options.max_traces))
    serve(build_app(store), name="trace_receiver", host=options.host, port=options.port)


if __name__ == "__main__":
    entry(main)
