"""A cluster without nodes in a private network, for controllers that serve gateways."""

import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from local.control_plane import ControlPlane, Slot
from local.crds import load
from local.crds.lock import select
from local.crds.sources import Sources
from local.kube import KubeClient, Manifest
from local.kubeconfig import Kubeconfig
from local.paths import Cache
from local.process import ProcessSpec, log_tail, spawn, stop
from local.toolchain import CONTROL_PLANE_TOOLS, GATEWAY_TOOLS, cached
from tests.gateway.addresses import addresses
from tests.harness.api_server import token_of
from tests.scaling.private_network import private_network

COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager")
START_SECONDS = 90.0
POLL_SECONDS = 0.05


@dataclass
class Plane:
    """`client` is the administrator; `free` are addresses that nobody has."""

    client: KubeClient
    kubeconfig: Path
    state: Path
    tools: Mapping[str, Path]
    free: Iterator[str]
    hosts: dict[str, str] = field(default_factory=dict)
    """Cluster names that programs find in their hosts file."""

    def namespace(self, name: str) -> None:
        """Make it when it is missing."""
        if self.client.find("v1", "Namespace", name) is None:
            meta = {"name": name}
            self.client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})

    def apply(self, manifests: Iterable[Manifest]) -> None:
        """Each with the namespace that it needs."""
        for manifest in manifests:
            if space := manifest["metadata"].get("namespace"):
                self.namespace(space)
            self.client.apply(manifest)

    def service(
        self,
        name: str,
        namespace: str,
        ports: Mapping[int, int],
        address: str,
        *,
        grpc: bool = False,
    ) -> None:
        """A Service whose one ready endpoint is `address`; `ports` is port → port there."""
        spoken = {"appProtocol": "kubernetes.io/h2c"} if grpc else {}
        listed = [{"name": f"p{port}", "port": port} | spoken for port in ports]
        behind = [{"name": f"p{port}", "port": target} for port, target in ports.items()]
        meta = {"name": name, "namespace": namespace}
        labels = {"kubernetes.io/service-name": name}
        endpoint = {"addresses": [address], "conditions": {"ready": True}}
        self.apply(
            [
                {
                    "apiVersion": "v1",
                    "kind": "Service",
                    "metadata": meta,
                    "spec": {"ports": listed},
                },
                {
                    "apiVersion": "discovery.k8s.io/v1",
                    "kind": "EndpointSlice",
                    "metadata": meta | {"labels": labels},
                    "addressType": "IPv4",
                    "endpoints": [endpoint],
                    "ports": behind,
                },
            ]
        )
        self.hosts[f"{name}.{namespace}.svc.cluster.local"] = address

    def login(self, namespace: str, account: str) -> Path:
        """A kubeconfig with a token of the ServiceAccount, which is made when it is missing."""
        if self.client.find("v1", "ServiceAccount", account, namespace) is None:
            meta = {"name": account, "namespace": namespace}
            self.apply([{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}])
        own = Kubeconfig.read(self.kubeconfig)
        token = token_of(self.client, account, namespace)
        file = self.state / f"{namespace}-{account}.kubeconfig"
        made = Kubeconfig(
            server=own.server, certificate_authority=own.certificate_authority, token=token
        )
        made.write(file, context="pod", user=account)
        return file

    def client_of(self, login: Path) -> KubeClient:
        """Whoever `login` is."""
        return KubeClient.from_kubeconfig(login)

    def hosts_file(self) -> Path:
        """The names so far, as a hosts file."""
        lines = [f"{address} {name}\n" for name, address in self.hosts.items()]
        file = self.state / "hosts"
        file.write_text("127.0.0.1 localhost\n" + "".join(lines))
        return file


@contextmanager
def plane(state: Path, kinds: Sequence[str]) -> Iterator[Plane]:
    """Raises UserError when a tool is missing, PermissionError where it may make no network.

    AssertionError when no source has the definitions of `kinds`, names of the lock of CRDs.
    """
    cache = Cache.default()
    tools = cached((*CONTROL_PLANE_TOOLS, *GATEWAY_TOOLS), cache)
    # in the private network nothing can be downloaded
    sources = Sources(cache)
    for project, file in select(kinds):
        sources.read(project, file)
    with ExitStack() as stack:
        stack.enter_context(private_network())
        free = addresses()
        control = ControlPlane(
            state, tools, slot=Slot(0), unsafe_no_fsync=True, components=COMPONENTS
        )
        running = stack.enter_context(control.running())
        client = stack.enter_context(KubeClient.from_kubeconfig(running.kubeconfig))
        loaded = load(running.kubeconfig, kinds, cache=cache)
        placeholders = [crd.kind for crd in loaded if crd.origin == "placeholder"]
        assert not placeholders, f"no source has the schemas of {placeholders}"
        yield Plane(client, running.kubeconfig, state, tools, free)


@contextmanager
def running(spec: ProcessSpec) -> Iterator["subprocess.Popen[bytes]"]:
    """Start it, wait until it serves, stop it when the block ends."""
    process = spawn(spec)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not spec.ready():
            assert process.poll() is None, f"{spec.name} ended: {log_tail(spec.log)}"
            assert time.monotonic() < deadline, f"{spec.name} is not ready (log: {spec.log})"
            time.sleep(POLL_SECONDS)
        yield process
    finally:
        stop(process, seconds=3.0)
