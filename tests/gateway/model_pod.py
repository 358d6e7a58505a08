"""A Pod of a model server that tells how busy it is, by vLLM's metric names."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from components.agentgateway_backends import SERVER_LABEL
from tests.gateway.plane import Plane
from tests.harness.http_server import serving


@dataclass
class ModelPod:
    """`waiting` and `cache` may be changed while it serves."""

    name: str
    waiting: int = 0
    cache: float = 0.0
    tells: bool = True
    """Whether it has metrics; a server that is no vLLM, or has them turned off, has not."""
    asked: list[bytes] = field(default_factory=list)
    scrapes: int = 0

    def app(self) -> Starlette:
        routes = [
            Route("/metrics", self._metrics),
            Route("/{path:path}", self._answer, methods=["POST"]),
        ]
        return Starlette(routes=routes)

    async def _metrics(self, _request: Request) -> PlainTextResponse:
        self.scrapes += 1
        if not self.tells:
            return PlainTextResponse("", status_code=404)
        values = {
            "num_requests_waiting": self.waiting,
            "num_requests_running": self.waiting,
            "kv_cache_usage_perc": self.cache,
        }
        lines = [
            f'# TYPE vllm:{name} gauge\nvllm:{name}{{model_name="m"}} {value}\n'
            for name, value in values.items()
        ]
        blocks = '{block_size="16",num_gpu_blocks="4096"}'
        lines.append(f"# TYPE vllm:cache_config_info gauge\nvllm:cache_config_info{blocks} 1\n")
        return PlainTextResponse("".join(lines))

    async def _answer(self, request: Request) -> JSONResponse:
        self.asked.append(await request.body())
        return JSONResponse({"backend": self.name})


@contextmanager
def model_pod(
    plane: Plane, server: str, name: str, *, namespace: str, port: int, tells: bool = True
) -> Iterator[ModelPod]:
    """Serve one at an address of its own, and tell the API server as a kubelet would."""
    address = next(plane.free)
    pod = ModelPod(name, tells=tells)
    with serving(pod.app(), host=address, port=port):
        plane.apply([_manifest(server, name, namespace)])
        status: dict[str, Any] = {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": [{"type": "Ready", "status": "True"}],
        }
        plane.client.patch(
            "v1",
            "Pod",
            name,
            {"status": status},
            namespace,
            patch_type="merge",
            subresource="status",
        )
        yield pod


def _manifest(server: str, name: str, namespace: str) -> dict[str, Any]:
    labels = {SERVER_LABEL: server, "app": "vllm"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "automountServiceAccountToken": False,
            "containers": [{"name": "model", "image": "model"}],
        },
    }
