"""One real API server for the whole test session: etcd, kube-apiserver, kube-controller-manager."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local.control_plane import ControlPlane, lease
from local.crds import LoadedCrd, load
from local.kube import ApiError, KubeClient, Manifest
from local.paths import Cache
from local.toolchain import cached

COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager")


class ApiServer:
    """What a test may ask of it; objects that a test really makes live until the session ends."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self.client = KubeClient.from_kubeconfig(kubeconfig)
        self._loaded: dict[str | Path, list[LoadedCrd]] = {}

    def dry_run(self, obj: Manifest) -> Manifest:
        """The object as the API server would store it, defaults filled in.

        Unknown fields, schemas, CEL rules, admission and Pod Security all count; raises ApiError
        with the API server's own words. The object's namespace is made when it is missing.
        """
        namespace = obj["metadata"].get("namespace")
        if namespace:
            self.namespace(namespace)
        if obj["kind"] == "Pod":
            self._await_service_account(namespace or "default", obj)
        try:
            return self.client.create(obj, dry_run=True)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
        return self.client.apply(obj, dry_run=True)

    def namespace(self, name: str, labels: dict[str, str] | None = None) -> str:
        """Make a namespace, or give the one there is these labels (Pod Security reads them)."""
        found = self.client.find("v1", "Namespace", name)
        if found is None or labels:
            metadata = {"name": name, "labels": labels or {}}
            self.client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        return name

    def load_crds(self, *names: str | Path, placeholders: bool = False) -> None:
        """Load CRDs by their names in the lock, or our own by path, once a session.

        Skips the test when a schema could not be had, unless `placeholders` will do.
        """
        missing = [name for name in names if name not in self._loaded]
        for name in missing:
            self._loaded[name] = load(self.kubeconfig, [name], cache=Cache.default())
        without = [
            crd.kind for name in names for crd in self._loaded[name] if crd.origin == "placeholder"
        ]
        if without and not placeholders:
            pytest.skip(f"no source has the schemas of {', '.join(sorted(without))}")

    def _await_service_account(self, namespace: str, pod: Manifest) -> None:
        # The controller makes `default` a moment after the namespace; admission asks for it.
        if not pod["spec"].get("serviceAccountName"):
            self.client.wait("v1", "ServiceAccount", "default", namespace, until=bool)


def token_of(client: KubeClient, account: str, namespace: str) -> str:
    """A token of a ServiceAccount as the kubelet would project it into a Pod, good for an hour."""
    path = f"{client.path('v1', 'ServiceAccount', namespace, account)}/token"
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    made = client.request("POST", path, body=asked)
    return str(made["status"]["token"])


@contextmanager
def running_api_server(state: Path) -> Iterator[Path]:
    """The kubeconfig of a server with its data in `state`; needs the tools of `make up`."""
    tools = cached(COMPONENTS, Cache.default())
    slot = lease(Cache.default(), owner=state)
    plane = ControlPlane(state, tools, slot=slot, unsafe_no_fsync=True, components=COMPONENTS)
    try:
        with plane.running() as running:
            yield running.kubeconfig
    finally:
        slot.release()


@pytest.fixture(scope="session")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A running API server; needs the tools that `make up` installs."""
    with running_api_server(tmp_path_factory.mktemp("api-server")) as kubeconfig:
        server = ApiServer(kubeconfig)
        yield server
        server.client.close()
