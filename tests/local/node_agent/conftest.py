"""One control plane and one node agent for all tests here; each test has its own namespace."""

import re
from collections.abc import Iterator

import pytest

from local.control_plane import ControlPlane, lease
from local.kube import KubeClient
from local.paths import Cache, State
from local.toolchain import cached
from tests.local.node_agent.cluster import Cluster, NodeAgent

COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")


@pytest.fixture(scope="package")
def node_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A real API server, controllers, scheduler and node agent."""
    state = State(tmp_path_factory.mktemp("node"))
    state.make()
    tools = cached(COMPONENTS, Cache.default())
    slot = lease(Cache.default(), owner=state.root)
    plane = ControlPlane(state.root, tools, slot=slot, unsafe_no_fsync=True, components=COMPONENTS)
    try:
        with plane.running() as running:
            agent = NodeAgent(state.root, running.kubeconfig, slot)
            client = KubeClient.from_kubeconfig(running.kubeconfig)
            agent.start()
            try:
                yield Cluster(client, agent)
            finally:
                agent.stop()
                client.close()
    finally:
        slot.release()


@pytest.fixture
def namespace(node_cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the test's own, removed with all that runs in it."""
    name = re.sub("[^a-z0-9]+", "-", request.node.name.lower())[-50:].strip("-")
    client = node_cluster.client
    client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    for kind, wanted in (("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")):
        client.wait("v1", kind, wanted, name, until=bool)
    yield name
    client.delete("v1", "Namespace", name)
