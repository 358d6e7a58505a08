import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from local.control_plane import COMPONENTS, ControlPlane, Slot, lease
from local.control_plane.ports import CONTROL_PLANE_PORTS, is_free
from local.kube import ApiError, KubeClient
from local.kubeconfig import Kubeconfig
from local.paths import CHECKOUT, Cache
from local.report import UserError
from local.toolchain import CONTROL_PLANE_TOOLS, cached
from tests.harness.api_server import ApiServer
from tests.harness.processes import await_ended

pytestmark = pytest.mark.api_server

SMALLEST = ("etcd", "kube-apiserver")
RUN = """
import sys
from pathlib import Path
from local.control_plane import ControlPlane, lease
from local.paths import Cache
from local.toolchain import CONTROL_PLANE_TOOLS, cached
state = Path(sys.argv[1])
slot = lease(Cache.default(), owner=state)
tools = cached(CONTROL_PLANE_TOOLS, Cache.default())
with ControlPlane(state, tools, slot=slot, unsafe_no_fsync=True).running() as plane:
    print(*[process.pid for process in plane.processes.values()], flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def slot(tmp_path: Path) -> Iterator[Slot]:
    leased = lease(Cache.default(), owner=tmp_path)
    yield leased
    leased.release()


def plane(state: Path, slot: Slot, components: tuple[str, ...] = COMPONENTS) -> ControlPlane:
    tools = cached(CONTROL_PLANE_TOOLS, Cache.default())
    return ControlPlane(state, tools, slot=slot, unsafe_no_fsync=True, components=components)


def ready(kubeconfig: Path) -> bool:
    with KubeClient.from_kubeconfig(kubeconfig) as client:
        return client.text("/readyz") == "ok"


def test_a_failing_body_leaves_no_process_and_no_port(tmp_path: Path, slot: Slot) -> None:
    pids: list[int] = []

    def fail_inside() -> None:
        with plane(tmp_path, slot, SMALLEST).running() as running:
            pids.extend(process.pid for process in running.processes.values())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_inside()
    assert len(pids) == len(SMALLEST)
    await_ended(pids, seconds=0.0)
    assert all(is_free(slot.node_ip, port) for port in CONTROL_PLANE_PORTS.values())


def test_a_killed_starter_takes_its_control_plane_along(tmp_path: Path) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", RUN, str(tmp_path)],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert starter.stdout
    pids = [int(pid) for pid in starter.stdout.readline().split()]
    starter.kill()
    starter.communicate()
    assert len(pids) == len(COMPONENTS)
    await_ended(pids)


def test_a_taken_port_is_named_with_its_holder(tmp_path: Path, slot: Slot) -> None:
    with (
        socket.create_server((slot.node_ip, 6443)),
        pytest.raises(
            UserError, match=rf"{slot.node_ip}:6443 is taken by .* \(pid {os.getpid()}\)"
        ),
        plane(tmp_path, slot).running(),
    ):
        pytest.fail("it must not start")


def test_data_of_another_slot_is_refused_with_the_way_out(tmp_path: Path, slot: Slot) -> None:
    (tmp_path / "etcd").mkdir()
    other = (slot.number + 1) % 16
    (tmp_path / "slot").write_text(f"{other}\n")
    with pytest.raises(UserError, match=rf"slot {other}.*make down ARGS=--delete-state"):
        plane(tmp_path, slot).specs()


def test_a_program_that_does_not_come_up_is_one_line_with_its_last_words(
    tmp_path: Path, slot: Slot
) -> None:
    (tmp_path / "etcd").mkdir()
    (tmp_path / "slot").write_text(f"{slot.number}\n")
    (tmp_path / "etcd" / "member").write_text("not a folder")
    with (
        pytest.raises(UserError, match=r"etcd ended with code 1: .*log: ") as refused,
        plane(tmp_path, slot).running(),
    ):
        pytest.fail("it must not start")
    assert len(refused.value.lines) == 1


def test_logins_outlive_a_restart(tmp_path: Path, slot: Slot) -> None:
    files = ("kubeconfig", "pki/tokens.csv", "pki/ca.crt")
    plane(tmp_path, slot).specs()
    before = [(tmp_path / name).read_text() for name in files]
    plane(tmp_path, slot).specs()
    assert [(tmp_path / name).read_text() for name in files] == before


def test_objects_outlive_a_killed_api_server_and_a_half_written_authority(
    tmp_path: Path, slot: Slot
) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kept"}}
    with plane(tmp_path, slot, SMALLEST).running() as running:
        with KubeClient.from_kubeconfig(running.kubeconfig) as client:
            made = client.create(namespace)
        server = running.processes["kube-apiserver"]
        os.kill(server.pid, signal.SIGKILL)
        server.wait()
    await_ended([process.pid for process in running.processes.values()], seconds=0.0)
    authority, tokens = tmp_path / "pki" / "ca.crt", tmp_path / "pki" / "tokens.csv"
    known = tokens.read_text()
    os.truncate(authority, 100)
    with plane(tmp_path, slot, SMALLEST).running() as running:
        assert ready(running.kubeconfig)
        with KubeClient.from_kubeconfig(running.kubeconfig) as client:
            kept = client.get("v1", "Namespace", "kept")
    assert kept["metadata"]["uid"] == made["metadata"]["uid"]
    assert authority.stat().st_size > 100
    assert tokens.read_text() == known


def test_every_secret_file_is_its_owners_alone(tmp_path: Path, slot: Slot) -> None:
    plane(tmp_path, slot).specs()
    files = [tmp_path / "kubeconfig", *(tmp_path / "pki").iterdir()]
    assert len(files) > 10
    assert {file.name: oct(file.stat().st_mode & 0o777) for file in files} == {
        file.name: "0o600" for file in files
    }
    argv = " ".join(word for spec in plane(tmp_path, slot).specs() for word in spec.argv)
    for line in (tmp_path / "pki" / "tokens.csv").read_text().splitlines():
        assert line.split(",")[0] not in argv


def test_a_namespace_goes_away_and_another_gets_its_service_account(
    api_server: ApiServer,
) -> None:
    api_server.namespace("short-lived")
    client = api_server.client
    client.wait("v1", "ServiceAccount", "default", "short-lived", until=bool)
    client.delete("v1", "Namespace", "short-lived")
    client.wait("v1", "Namespace", "short-lived", until=lambda found: found is None)


def test_strangers_get_nothing(api_server: ApiServer) -> None:
    login = Kubeconfig.read(api_server.kubeconfig)
    anonymous = Kubeconfig(login.server, login.certificate_authority)
    with KubeClient(anonymous) as stranger, pytest.raises(ApiError) as refused:
        stranger.request("GET", "/api/v1/secrets")
    assert refused.value.status == 403
    context = ssl.create_default_context(cadata=login.certificate_authority)
    etcd = login.server.replace(":6443", ":2379")
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{etcd}/health", verify=context, trust_env=False)


def test_pod_security_is_enforced(api_server: ApiServer) -> None:
    api_server.namespace("strict", {"pod-security.kubernetes.io/enforce": "restricted"})
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "root", "namespace": "strict"},
        "spec": {"containers": [{"name": "main", "image": "process.local/x:1"}]},
    }
    with pytest.raises(ApiError, match='violates PodSecurity "restricted'):
        api_server.dry_run(pod)


def test_a_service_gets_a_loopback_address_of_the_slot(api_server: ApiServer) -> None:
    api_server.namespace("addresses")
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "here", "namespace": "addresses"},
        "spec": {"ports": [{"port": 80}], "selector": {"app": "here"}},
    }
    made = api_server.client.create(service)
    assert made["spec"]["clusterIP"].startswith("127.")
    # no controller may try to write a slice, which would be refused again and again
    assert api_server.client.list("discovery.k8s.io/v1", "EndpointSlice", "addresses") == []
