"""The programs beside the control plane: how each is started and when it serves."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from local.control_plane.pki import Pki
from local.control_plane.readiness import answers
from local.node_agent.sandbox import find_bwrap
from local.process import ProcessSpec
from tests.scaling.loads import PLAIN_PORT

KARPENTER_METRICS, KARPENTER_PROBE = 27080, 27081
KEDA_SERVICE, KEDA_METRICS, KEDA_PROBE = 27666, 27667, 27668
ADAPTER_PORT = 27445
KWOK_PORT = 27247
KARPENTER_NAMESPACE = "karpenter"
KEDA_NAMESPACE = "keda"
KEDA_SERVICE_NAME = "keda-metrics-apiserver"
KEDA_HOSTS = [
    "127.0.0.1",
    "localhost",
    "keda-operator.keda.svc",
    f"{KEDA_SERVICE_NAME}.{KEDA_NAMESPACE}.svc",
]


@dataclass(frozen=True)
class Surroundings:
    """Where the programs find what they share."""

    state: Path
    tools: Mapping[str, Path]
    kubeconfig: Path
    pki: Pki

    def login(self, account: str) -> Path:
        """The kubeconfig of a ServiceAccount."""
        return self.state / f"{account}.kubeconfig"

    def spec(
        self,
        name: str,
        arguments: list[str],
        *,
        ready: Callable[[], bool],
        **environment: str,
    ) -> ProcessSpec:
        """The spec of one of the tools; its log is `<state>/log/<name>.log`."""
        return ProcessSpec(
            name=name,
            argv=[str(self.tools[name]), *arguments],
            env={"HOME": str(self.state), "PATH": os.defpath, **environment},
            log=self.state / "log" / f"{name}.log",
            ready=ready,
            stop_seconds=3.0,
        )


def _serves(url: str) -> Callable[[], bool]:
    def check() -> bool:
        try:
            return httpx.get(url, timeout=2.0, trust_env=False).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    return check


def kwok(around: Surroundings) -> ProcessSpec:
    """Fake kubelets for the nodes that Karpenter's provider makes."""
    arguments = [
        f"--kubeconfig={around.kubeconfig}",
        f"--config={Path(__file__).with_name('kwok.yaml')}",
        "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
        "--node-lease-duration-seconds=40",
        "--cidr=10.64.0.0/16",
        "--node-ip=127.0.0.1",
        f"--server-address=127.0.0.1:{KWOK_PORT}",
    ]
    return around.spec("kwok", arguments, ready=_serves(f"http://127.0.0.1:{KWOK_PORT}/healthz"))


def karpenter(around: Surroundings, catalogue: list[dict[str, Any]]) -> ProcessSpec:
    """Karpenter's core, buying from `catalogue`."""
    file = around.state / "instance-types.json"
    file.write_text(json.dumps(catalogue))
    arguments = [
        "--disable-leader-election=true",
        f"--instance-types-file-path={file}",
        "--batch-idle-duration=1s",
        "--batch-max-duration=5s",
        f"--metrics-port={KARPENTER_METRICS}",
        f"--health-probe-port={KARPENTER_PROBE}",
    ]
    return around.spec(
        "karpenter-kwok",
        arguments,
        ready=_serves(f"http://127.0.0.1:{KARPENTER_PROBE}/readyz"),
        KUBECONFIG=str(around.login("karpenter")),
        KUBERNETES_MIN_VERSION="1.19.0-0",
        SYSTEM_NAMESPACE=KARPENTER_NAMESPACE,
        KARPENTER_SERVICE="karpenter",
    )


def keda_certificates(around: Surroundings) -> Path:
    """A folder as KEDA wants it; operator and adapter show each other the same certificate."""
    folder = around.state / "keda"
    folder.mkdir(mode=0o700)
    around.pki.certificate("keda").rename(folder / "tls.crt")
    around.pki.key("keda").rename(folder / "tls.key")
    (folder / "ca.crt").write_text(around.pki.ca.read_text())
    return folder


def keda_operator(around: Surroundings, certificates: Path, hosts: list[str]) -> ProcessSpec:
    """KEDA's operator, for which the cluster names `hosts` lead to loopback."""
    file = around.state / "hosts"
    file.write_text(f"127.0.0.1 localhost {' '.join(hosts)}\n")
    arguments = [
        f"--kubeconfig={around.login('keda-operator')}",
        f"--cert-dir={certificates}",
        "--enable-cert-rotation=false",
        "--enable-webhook-patching=false",
        "--enable-apiservice-patching=false",
        f"--metrics-service-bind-address=127.0.0.1:{KEDA_SERVICE}",
        f"--metrics-bind-address=127.0.0.1:{KEDA_METRICS}",
        f"--health-probe-bind-address=127.0.0.1:{KEDA_PROBE}",
    ]
    made = around.spec(
        "keda-operator",
        arguments,
        ready=_serves(f"http://127.0.0.1:{KEDA_PROBE}/readyz"),
        POD_NAMESPACE=KEDA_NAMESPACE,
        KEDA_CLUSTER_OBJECT_NAMESPACE=KEDA_NAMESPACE,
        WATCH_NAMESPACE="",
    )
    bwrap = find_bwrap()
    sandbox = [str(bwrap.program), *bwrap.options, "--die-with-parent", "--dev-bind", "/", "/"]
    sandbox += ["--ro-bind", str(file), "/etc/hosts"]
    return ProcessSpec(
        name=made.name,
        argv=[*sandbox, *made.argv],
        env=made.env,
        log=made.log,
        ready=made.ready,
        stop_seconds=made.stop_seconds,
    )


def keda_adapter(around: Surroundings, certificates: Path) -> ProcessSpec:
    """KEDA's metrics API behind the API server's aggregator."""
    login = around.login("keda-operator")
    logins = [f"--{use}-kubeconfig={login}" for use in LOGINS]
    arguments = [
        *logins,
        f"--secure-port={ADAPTER_PORT}",
        "--bind-address=127.0.0.1",
        f"--metrics-service-address=127.0.0.1:{KEDA_SERVICE}",
        f"--client-ca-file={around.pki.ca}",
        f"--tls-cert-file={certificates / 'tls.crt'}",
        f"--tls-private-key-file={certificates / 'tls.key'}",
        f"--cert-dir={certificates}",
    ]
    return around.spec(
        "keda-adapter",
        arguments,
        ready=answers(f"https://127.0.0.1:{ADAPTER_PORT}/healthz", around.pki),
        KUBECONFIG=str(login),
        POD_NAMESPACE=KEDA_NAMESPACE,
        WATCH_NAMESPACE="",
    )


LOGINS = ("authentication", "authorization", "lister")


def valkey(around: Surroundings, password_file: Path) -> ProcessSpec:
    """The platform's own session store program, which speaks no TLS itself."""
    import sys

    argv = [sys.executable, "-m", "local.workloads.session_store", "--host", "127.0.0.1"]
    argv += ["--port", str(PLAIN_PORT), "--password-file", str(password_file)]
    argv += ["--data", str(around.state / "valkey")]
    return ProcessSpec(
        name="valkey",
        argv=argv,
        env=dict(os.environ),
        log=around.state / "log" / "valkey.log",
        stop_seconds=3.0,
    )
