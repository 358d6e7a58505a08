"""A whole cluster in a private network: the real controllers, fake nodes."""

import dataclasses
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil

from local.control_plane import ControlPlane, Slot
from local.control_plane.pki import Pki, issue
from local.crds import load
from local.kube import KubeClient, Manifest
from local.paths import Cache
from local.process import ProcessSpec, log_tail, spawn, stop
from tests.harness.tls_relay import tls_relay
from tests.scaling import controllers, permissions
from tests.scaling.aggregation import aggregated_apis, kwok_node_class_kind
from tests.scaling.loads import PASSWORD, PLAIN_PORT
from tests.scaling.signals import METRICS_PORT, signals

KINDS = (
    *("nodepools.karpenter.sh", "nodeclaims.karpenter.sh", "nodeoverlays.karpenter.sh"),
    *("capacitybuffers.autoscaling.x-k8s.io", "keda"),
)
STORE_PORT = 6379
START_SECONDS = 90.0
POLL_SECONDS = 0.05
FASTER = (
    # 15 s, 30 s and 300 s by default: the figures of the wait, not of the decision
    "--horizontal-pod-autoscaler-sync-period=5s",
    "--horizontal-pod-autoscaler-initial-readiness-delay=1s",
    "--horizontal-pod-autoscaler-cpu-initialization-period=1s",
    "--horizontal-pod-autoscaler-downscale-stabilization=5s",
    "--resource-quota-sync-period=10s",
)


class _FastControlPlane(ControlPlane):
    """The platform's control plane, its autoscaler and quotas looking more often."""

    def specs(self) -> list[ProcessSpec]:
        return [
            dataclasses.replace(spec, argv=[*spec.argv, *FASTER])
            if spec.name == "kube-controller-manager"
            else spec
            for spec in super().specs()
        ]


class Plane:
    """A running cluster; `client` is its administrator."""

    def __init__(self, around: controllers.Surroundings, client: KubeClient) -> None:
        self.around = around
        self.client = client
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def karpenter_log(self) -> Path:
        return self.around.state / "log" / "karpenter-kwok.log"

    def refusals(self) -> set[str]:
        """What the API server refused the controllers, as their logs tell it."""
        names = ("karpenter-kwok", "keda-operator", "keda-adapter")
        return {*permissions.refusals(self.around.state / "log" / f"{n}.log" for n in names)}

    def start(self, specs: Sequence[ProcessSpec]) -> None:
        """Start all and wait until each serves."""
        for spec in specs:
            self._running[spec.name] = spawn(spec)
        deadline = time.monotonic() + START_SECONDS
        for spec in specs:
            while not spec.ready():
                ended = self._running[spec.name].poll()
                assert ended is None, f"{spec.name} ended with {ended}: {log_tail(spec.log)}"
                assert time.monotonic() < deadline, f"{spec.name} is not ready (log: {spec.log})"
                time.sleep(POLL_SECONDS)

    def restart_karpenter(self, catalogue: list[dict[str, Any]]) -> None:
        """Have it buy from another catalogue."""
        stop(self._running.pop("karpenter-kwok"), seconds=3.0)
        self.start([controllers.karpenter(self.around, catalogue)])

    def resident_mib(self) -> float:
        """Memory of the programs beside the control plane, and of what they started."""
        processes = [psutil.Process(process.pid) for process in self._running.values()]
        family = [each for mine in processes for each in (mine, *mine.children(recursive=True))]
        return float(sum(each.memory_info().rss for each in family)) / 2**20

    def stop_all(self) -> None:
        for process in reversed(self._running.values()):
            stop(process, seconds=3.0)


@contextmanager
def plane(
    state: Path,
    tools: Mapping[str, Path],
    *,
    catalogue: list[dict[str, Any]],
    names: list[str],
    roles: Sequence[Manifest],
) -> Iterator[Plane]:
    """A cluster with kwok, Karpenter, KEDA and Valkey; cluster names in `names` are loopback.

    Karpenter and KEDA may do what `roles` grant them.
    """
    control_plane = _FastControlPlane(state, tools, slot=Slot(0), unsafe_no_fsync=True)
    with ExitStack() as stack:
        running = stack.enter_context(control_plane.running())
        pki = Pki(state / "pki")
        issue(pki, "keda", hosts=controllers.KEDA_HOSTS)
        issue(pki, "metrics-server", hosts=["metrics-server.kube-system.svc"])
        client = stack.enter_context(KubeClient.from_kubeconfig(running.kubeconfig))
        around = controllers.Surroundings(state, tools, running.kubeconfig, pki)
        made = Plane(around, client)
        stack.callback(made.stop_all)
        loaded = load(running.kubeconfig, KINDS, cache=Cache.default())
        placeholders = [crd.kind for crd in loaded if crd.origin == "placeholder"]
        assert not placeholders, f"no source has the schemas of {placeholders}"
        client.apply(kwok_node_class_kind())
        permissions.grant(client, around, roles)
        password = state / "password"
        password.write_text(PASSWORD)
        certificates = controllers.keda_certificates(around)
        stack.enter_context(signals(client, pki))
        made.start(
            [
                controllers.kwok(around),
                controllers.karpenter(around, catalogue),
                controllers.keda_operator(around, certificates, names),
                controllers.valkey(around, password),
            ]
        )
        issue(pki, "session-store", hosts=names)
        pair = pki.certificate("session-store"), pki.key("session-store")
        stack.enter_context(tls_relay(PLAIN_PORT, *pair, listen=STORE_PORT))
        made.start([controllers.keda_adapter(around, certificates)])
        for manifest in aggregated_apis(pki.ca.read_text(), controllers.ADAPTER_PORT, METRICS_PORT):
            client.apply(manifest)
        yield made
