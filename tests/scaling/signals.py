"""Stand-ins for the two sources of numbers that have nothing real to measure here.

metrics-server would ask kubelets for the CPU of Pods that are not running; Prometheus would scrape
agents that don't exist. They answer: every container uses a little, no session is open.
"""

import json
import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from local.control_plane.pki import Pki
from local.kube import KubeClient, Manifest

PROMETHEUS_PORT = 9090
METRICS_PORT = 27446
USAGE = {"cpu": "5m", "memory": "16Mi"}
_PODS = re.compile(r"/apis/metrics\.k8s\.io/v1beta1/namespaces/([^/]+)/pods")
_NO_SAMPLES = {"status": "success", "data": {"resultType": "vector", "result": []}}
_RESOURCES = {
    "kind": "APIResourceList",
    "apiVersion": "v1",
    "groupVersion": "metrics.k8s.io/v1beta1",
    "resources": [
        {
            "name": "pods",
            "singularName": "",
            "namespaced": True,
            "kind": "PodMetrics",
            "verbs": ["list"],
        }
    ],
}


@contextmanager
def signals(client: KubeClient, pki: Pki) -> Iterator[None]:
    """Serve both on loopback; `pki` holds the certificate `metrics-server`."""

    def pod_metrics(path: str) -> dict[str, Any] | None:
        url = urlsplit(path)
        if url.path == "/apis/metrics.k8s.io/v1beta1":
            return _RESOURCES
        if found := _PODS.fullmatch(url.path):
            selector = parse_qs(url.query).get("labelSelector", [None])[0]
            pods = client.list("v1", "Pod", found[1], label_selector=selector)
            return {"kind": "PodMetricsList", "apiVersion": "metrics.k8s.io/v1beta1"} | {
                "metadata": {},
                "items": [_usage(pod) for pod in pods if pod["status"].get("phase") == "Running"],
            }
        return None

    def prometheus(path: str) -> dict[str, Any] | None:
        return _NO_SAMPLES if urlsplit(path).path == "/api/v1/query" else None

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.certificate("metrics-server"), pki.key("metrics-server"))
    servers = [
        _server(PROMETHEUS_PORT, prometheus),
        _server(METRICS_PORT, pod_metrics, context),
    ]
    try:
        yield
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


def _usage(pod: Manifest) -> dict[str, Any]:
    return {
        "metadata": {key: pod["metadata"][key] for key in ("name", "namespace")},
        "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "window": "1s",
        "containers": [
            {"name": container["name"], "usage": USAGE} for container in pod["spec"]["containers"]
        ],
    }


def _server(port: int, answer: Any, context: ssl.SSLContext | None = None) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            found = answer(self.path)
            body = json.dumps(found or {}).encode()
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing: requests come every few seconds."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    if context:
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
    return server
