"""What becomes of a container's spec before anything is started."""

import os
from pathlib import Path
from typing import Any

import pytest

from local.node_agent.host_view import HostView, host_view
from local.node_agent.launch import ContainerRefused, Launch, Machine, PodFolders, hostname, launch
from local.node_agent.mount_plan import Mount
from local.node_agent.sandbox import Bwrap, api_server_variables, tool_folders
from local.paths import CHECKOUT
from tests.local.node_agent.samples import container, pod, secret, sources

pytestmark = pytest.mark.unit
VOLUMES = [{"name": "data", "emptyDir": {}}, {"name": "conf", "configMap": {"name": "c"}}]


def launched(tmp_path: Path, **spec: Any) -> Launch:
    main = container(**spec)
    of = pod(main, volumes=VOLUMES)
    (tmp_path / "cache").mkdir(exist_ok=True)
    for name in ("data", "conf"):
        (tmp_path / "volumes" / name).mkdir(parents=True, exist_ok=True)
    machine = Machine(
        bwrap=Bwrap(Path("/usr/bin/bwrap")),
        view=HostView(("/usr",)),
        environment={"PATH": "/usr/bin:/bin"},
        cache=tmp_path / "cache",
    )
    folders = PodFolders(tmp_path)
    return launch(
        main,
        sources(of, secrets={"login": secret(password="pw")}),
        machine,
        folders,
        folders.volume,
    )


def test_command_and_arguments_are_expanded_with_the_container_s_variables(tmp_path: Path) -> None:
    env = [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]
    made = launched(tmp_path, command=["sh"], args=["--host=$(POD_IP)", "$$(POD_IP)"], env=env)
    assert made.command == ("sh", "--host=127.128.0.7", "$(POD_IP)")
    assert made.sandbox.environment["HOSTNAME"] == "web-0"


@pytest.mark.parametrize(
    ("spec", "reason", "message"),
    [
        ({"image": "nginx:1"}, "ImageNotRunnable", "nginx:1"),
        ({"image": "registry/process.local/x"}, "ImageNotRunnable", "process.local/"),
        ({"command": []}, "CreateContainerError", "no command"),
        ({"command": ["no-such-program"]}, "RunContainerError", "no-such-program"),
        (
            {"envFrom": [{"secretRef": {"name": "gone"}}]},
            "CreateContainerConfigError",
            'secret "gone" not found',
        ),
        (
            {"volumeMounts": [{"name": "data", "mountPath": "/proc"}]},
            "CreateContainerError",
            "/proc",
        ),
        (
            {"volumeMounts": [{"name": "conf", "mountPath": "/x", "subPath": "gone"}]},
            "CreateContainerError",
            "gone",
        ),
    ],
)
def test_a_container_that_can_not_start_says_why(
    tmp_path: Path, spec: dict[str, Any], reason: str, message: str
) -> None:
    with pytest.raises(ContainerRefused, match=message) as caught:
        launched(tmp_path, **spec)
    assert caught.value.reason == reason


def test_only_volumes_that_may_be_written_are_mounted_so(tmp_path: Path) -> None:
    mounts = [
        {"name": "data", "mountPath": "/data"},
        {"name": "data", "mountPath": "/look", "readOnly": True},
        {"name": "conf", "mountPath": "/etc/agent"},
        {"name": "data", "mountPath": "/mine", "subPathExpr": "of-$(HOSTNAME)"},
    ]
    found = {m.target: m for m in launched(tmp_path, volumeMounts=mounts).sandbox.mounts}
    writable = {target for target, mount in found.items() if not mount.read_only}
    assert writable == {"/tmp", "/data", "/mine"}
    assert found["/mine"] == Mount(tmp_path / "volumes" / "data" / "of-web-0", "/mine")
    assert found["/tmp/.cache/cache"] == Mount(
        tmp_path / "cache", "/tmp/.cache/cache", read_only=True
    )


def test_values_never_reach_the_command_line_of_the_sandbox(tmp_path: Path) -> None:
    reference = {"secretKeyRef": {"name": "login", "key": "password"}}
    made = launched(tmp_path, env=[{"name": "PASSWORD", "valueFrom": reference}])
    assert made.sandbox.environment["PASSWORD"] == "pw"
    assert "pw" not in made.command
    arguments = made.sandbox.arguments()
    assert arguments[arguments.index("PASSWORD") - 1] == "--setenv"
    assert {"--unshare-pid", "--die-with-parent", "--cap-drop"} <= set(arguments)
    assert "--unshare-net" not in arguments


def test_a_host_name_fits_the_kernel_s_limit() -> None:
    assert hostname(pod(name="a" * 62 + "-" + "b" * 9)) == "a" * 62
    assert hostname(pod(hostname="db-0")) == "db-0"


def test_the_host_view_shows_the_checkout_but_not_what_is_private(tmp_path: Path) -> None:
    state = CHECKOUT / "tests"
    view = host_view(state=state, cache=tmp_path)
    assert str(state) in view.hidden
    covered = [bind for bind in view.binds if str(CHECKOUT).startswith(bind)]
    assert len(covered) == 1
    home = str(Path.home())
    assert home not in view.binds
    assert "/etc" not in view.binds
    assert "/var" not in view.binds


def test_the_newest_version_of_each_finished_tool_is_on_the_path(tmp_path: Path) -> None:
    for name in ("etcd/1", "etcd/2/bin", ".making-x/work"):
        (tmp_path / name).mkdir(parents=True)
    os.utime(tmp_path / "etcd" / "1", (0, 0))
    assert tool_folders(tmp_path) == [tmp_path / "etcd" / "2" / "bin"]


def test_clients_in_pods_find_the_api_server_at_its_own_address() -> None:
    assert api_server_variables(("127.64.0.1", 6443)) == {
        "KUBERNETES_SERVICE_HOST": "127.64.0.1",
        "KUBERNETES_SERVICE_PORT": "6443",
    }
