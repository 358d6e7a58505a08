"""Metrics and health, on a port of their own."""

from collections.abc import Callable

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route


def operations_app(registry: CollectorRegistry, ready: Callable[[], bool]) -> Starlette:
    """`/metrics`, `/healthz` (the process works) and `/readyz` (it takes new requests)."""

    async def metrics(request: Request) -> Response:
        del request
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    async def healthz(request: Request) -> Response:
        del request
        return PlainTextResponse("ok")

    async def readyz(request: Request) -> Response:
        del request
        return PlainTextResponse("ok") if ready() else PlainTextResponse("draining", 503)

    return Starlette(
        routes=[
            Route("/metrics", metrics),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
        ]
    )
