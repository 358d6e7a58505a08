"""Kubernetes objects for the tests that run real processes."""

from typing import Any

Manifest = dict[str, Any]
POD_IP = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
POD_NAME = {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
SERVER = """
import http.server, os, pathlib
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path = pathlib.Path(self.path)
        text = path.read_text() if path.is_file() else os.environ["POD_NAME"]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())
http.server.ThreadingHTTPServer((os.environ["POD_IP"], 8080), Handler).serve_forever()
"""
"""Answers with the file that the path names, else with the Pod's name."""


def metadata(name: str, namespace: str) -> Manifest:
    return {"name": name, "namespace": namespace}


def container(*command: str, name: str = "main", **spec: Any) -> Manifest:
    return {
        "name": name,
        "image": "process.local/test:1",
        "command": list(command),
        "env": [POD_IP, POD_NAME],
    } | spec


def server(**spec: Any) -> Manifest:
    probe = {"tcpSocket": {"port": "http"}, "periodSeconds": 1}
    ports = [{"name": "http", "containerPort": 8080}]
    filled = {"ports": ports, "readinessProbe": probe}
    return container("python", "-c", SERVER, **(filled | spec))


def shell(script: str, **spec: Any) -> Manifest:
    return container("sh", "-c", script, **spec)


def pod(namespace: str, name: str, *containers: Manifest, **spec: Any) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata(name, namespace) | {"labels": {"app": name}},
        "spec": {"containers": list(containers), "terminationGracePeriodSeconds": 5} | spec,
    }


def template(name: str, *containers: Manifest, **spec: Any) -> Manifest:
    return {
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": list(containers), "terminationGracePeriodSeconds": 5} | spec,
        },
    }


def deployment(namespace: str, name: str, replicas: int, *containers: Manifest) -> Manifest:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(name, namespace),
        "spec": template(name, *containers) | {"replicas": replicas},
    }


def stateful_set(namespace: str, name: str, *containers: Manifest, **spec: Any) -> Manifest:
    claim = {
        "metadata": {"name": "data"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": metadata(name, namespace),
        "spec": template(name, *containers)
        | {"serviceName": name, "replicas": 1, "volumeClaimTemplates": [claim]}
        | spec,
    }


def service(namespace: str, name: str, **spec: Any) -> Manifest:
    filled = {"selector": {"app": name}, "ports": [{"port": 8080, "targetPort": 8080}]}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(name, namespace),
        "spec": filled | spec,
    }


def config_map(namespace: str, name: str, **data: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(name, namespace),
        "data": data,
    }


def secret(namespace: str, name: str, **data: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata(name, namespace),
        "stringData": data,
    }
