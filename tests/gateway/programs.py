"""The programs of a gateway on a controller: how each is started and when it serves."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import httpx

from local.node_agent.sandbox import find_bwrap
from local.process import ProcessSpec
from tests.gateway.plane import Plane
from tests.harness.envoy import envoy_program

KGATEWAY_NAMESPACE = "kgateway-system"
XDS_AUDIENCE = "kgateway"
_HEALTH = 9093
_READY, _OWN_READY = 8082, 18082


def serves(url: str) -> Callable[[], bool]:
    """Whether `url` answers 200."""

    def check() -> bool:
        try:
            return httpx.get(url, timeout=2.0, trust_env=False).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    return check


def listens(address: str, port: int) -> Callable[[], bool]:
    """Whether somebody takes connections there."""

    def check() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((address, port)) == 0

    return check


def kgateway(plane: Plane, **settings: str) -> ProcessSpec:
    """kgateway's controller as its chart starts it, but for the election of a leader."""
    plane.namespace(KGATEWAY_NAMESPACE)
    plane.hosts[f"kgateway.{KGATEWAY_NAMESPACE}.svc.cluster.local"] = "127.0.0.1"
    environment = {
        "KUBECONFIG": str(plane.kubeconfig),
        "POD_NAMESPACE": KGATEWAY_NAMESPACE,
        "KGW_XDS_SERVICE_NAME": "kgateway",
        "KGW_DISABLE_LEADER_ELECTION": "true",
        "KGW_LISTENER_BIND_IPV6": "false",
        "KGW_DEFAULT_IMAGE_TAG": "v0.0.0-test",
        "HOME": str(plane.state),
        "PATH": os.defpath,
    }
    return ProcessSpec(
        name="kgateway",
        argv=[str(plane.tools["kgateway"])],
        env=environment | settings,
        log=plane.state / "log" / "kgateway.log",
        ready=serves(f"http://127.0.0.1:{_HEALTH}/readyz"),
        stop_seconds=3.0,
    )


def proxy(plane: Plane, namespace: str, name: str) -> ProcessSpec:
    """Envoy with the configuration that the controller made for the Gateway's Pods.

    Only its paths, one port and the dot of a name are others, and it runs without the programs of
    kgateway's own image.
    """
    made = plane.client.get("v1", "ConfigMap", name, namespace)["data"]
    folder = plane.state / "proxy"
    folder.mkdir()
    token = folder / "xds-token"
    token.write_text(_token_of_pod(plane, namespace, name))
    for file, text in made.items():
        placed = text.replace("/etc/envoy/", f"{folder}/")
        # here all share one network, and the rate limit service has the port that it asks on
        placed = placed.replace(f"port_value: {_READY}", f"port_value: {_OWN_READY}")
        placed = placed.replace("/var/run/secrets/tokens/xds-token", str(token))
        # a hosts file knows no names that end in a dot
        placed = placed.replace(".svc.cluster.local.", ".svc.cluster.local")
        (folder / file).write_text(placed)
    arguments = [envoy_program(), "-c", str(folder / "envoy.yaml"), "--disable-hot-restart"]
    arguments += ["--service-node", f"{name}.{namespace}", "--concurrency", "1"]
    ready = serves(f"http://127.0.0.1:{_OWN_READY}/ready")
    return _with_hosts(plane, "proxy", [*arguments, "--log-level", "warn"], ready=ready)


def _token_of_pod(plane: Plane, namespace: str, name: str) -> str:
    """A Pod of the proxy's Deployment as a kubelet would run it, and its token.

    The controller knows its proxies by the Pod that a token is bound to.
    """
    template = plane.client.get("apps/v1", "Deployment", name, namespace)["spec"]["template"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": template["metadata"]["labels"],
        },
        "spec": {
            "serviceAccountName": name,
            "containers": [{"name": "proxy", "image": "proxy"}],
        },
    }
    uid = plane.client.create(pod)["metadata"]["uid"]
    status = {"status": {"phase": "Running", "podIP": next(plane.free)}}
    plane.client.patch("v1", "Pod", name, status, namespace, subresource="status")
    path = plane.client.path("v1", "ServiceAccount", namespace, name) + "/token"
    bound = {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": uid}
    wanted = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"audiences": [XDS_AUDIENCE], "boundObjectRef": bound},
    }
    return str(plane.client.request("POST", path, body=wanted)["status"]["token"])


def plain_envoy(
    plane: Plane, name: str, bootstrap: str, *, ready: Callable[[], bool]
) -> ProcessSpec:
    """Envoy with a bootstrap of one's own."""
    file = plane.state / f"{name}.yaml"
    file.write_text(bootstrap)
    arguments = [envoy_program(), "-c", str(file), "--disable-hot-restart"]
    return _with_hosts(
        plane, name, [*arguments, "--concurrency", "1", "--log-level", "warn"], ready=ready
    )


def _with_hosts(
    plane: Plane, name: str, argv: list[str], *, ready: Callable[[], bool]
) -> ProcessSpec:
    bwrap = find_bwrap()
    sandbox = [str(bwrap.program), *bwrap.options, "--die-with-parent", "--dev-bind", "/", "/"]
    sandbox += ["--ro-bind", str(plane.hosts_file()), "/etc/hosts"]
    return ProcessSpec(
        name=name,
        argv=[*sandbox, *argv],
        env={"HOME": str(plane.state), "PATH": os.defpath},
        log=plane.state / "log" / f"{name}.log",
        ready=ready,
        stop_seconds=3.0,
    )


def log_of(plane: Plane, name: str) -> Path:
    """Where a program's words are."""
    return plane.state / "log" / f"{name}.log"
