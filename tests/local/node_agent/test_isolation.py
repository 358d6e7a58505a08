"""What a Pod can not reach, and what it can."""

import json
import os
from pathlib import Path

import pytest

from local.node_agent import sandbox
from local.node_agent.sandbox import find_bwrap
from local.paths import CHECKOUT
from local.report import UserError
from tests.local.node_agent.cluster import Cluster
from tests.local.node_agent.workloads import container, pod

pytestmark = pytest.mark.services
SPY = """
import json, os, pathlib, sys
def reach(path):
    try:
        p = pathlib.Path(path)
        return sorted(os.listdir(p)) if p.is_dir() else len(p.read_bytes())
    except OSError as error:
        return type(error).__name__
def write(path):
    try:
        pathlib.Path(path).write_text("x")
    except OSError:
        return False
    return True
import agent_runtime
print(json.dumps({
    "read": {path: reach(path) for path in sys.argv[1].split(":")},
    "write": {path: write(path) for path in sys.argv[2].split(":")},
    "environment": dict(os.environ),
    "processes": sorted(int(p) for p in os.listdir("/proc") if p.isdigit()),
    "capabilities": [l.split()[1] for l in open("/proc/self/status") if l.startswith("CapEff")],
    "hostname": os.uname().nodename,
}))
import time; time.sleep(1000)
"""


def test_a_pod_sees_neither_the_platform_s_secrets_nor_anybody_s_home(
    node_cluster: Cluster, namespace: str
) -> None:
    state = node_cluster.agent.state
    home = Path.home()
    hidden = [state / name for name in ("secrets", "pki", "kubeconfig", "log", "run", "etcd")]
    hidden += [home / name for name in (".ssh", ".aws", ".kube", ".pulumi", ".bashrc")]
    hidden += [Path("/etc/shadow"), Path("/var/log"), Path("/run/docker.sock"), Path("/home")]
    (state / "secrets" / "token").write_text("secret")
    writes = [CHECKOUT / "planted", Path("/usr/planted"), Path("/etc/ssl/planted")]
    allowed = [Path("/tmp/own"), Path("/scratch/own")]
    arguments = [":".join(map(str, paths)) for paths in (hidden, [*writes, *allowed])]
    spec = container(
        "python", "-c", SPY, *arguments, volumeMounts=[{"name": "s", "mountPath": "/scratch"}]
    )
    node_cluster.make(pod(namespace, "spy", spec, volumes=[{"name": "s", "emptyDir": {}}]))
    found = json.loads(node_cluster.wait_output(namespace, "spy", "\n"))
    assert set(found["read"].values()) <= {"FileNotFoundError", "PermissionError"}, found["read"]
    assert [path for path, done in found["write"].items() if done] == [str(p) for p in allowed]
    assert "HOST_ONLY_VARIABLE" not in found["environment"]
    assert found["environment"]["HOME"] == "/tmp"
    assert found["environment"]["POD_NAME"] == found["hostname"] == "spy"
    assert found["processes"][:2] == [1, 2]
    assert len(found["processes"]) <= 3
    assert found["capabilities"] == ["0000000000000000"]


def test_a_pod_s_secrets_are_not_in_any_command_line(node_cluster: Cluster, namespace: str) -> None:
    env = [{"name": "PASSWORD", "value": "correct horse"}]
    node_cluster.make(
        pod(namespace, "quiet", container("sh", "-c", "echo up; sleep 1000", env=env))
    )
    node_cluster.wait_output(namespace, "quiet", "up")
    lines = [
        Path(f"/proc/{pid}/cmdline").read_bytes() for pid in node_cluster.agent.pids(namespace)
    ]
    assert lines
    assert not [line for line in lines if b"correct horse" in line]


def test_the_service_account_token_opens_the_api_server_by_its_cluster_name(
    node_cluster: Cluster, namespace: str
) -> None:
    if (
        os.geteuid()
        and int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) > 443
    ):
        pytest.skip("an ordinary user can't listen on port 443 here")
    script = """
import json, ssl, urllib.request
base = "/var/run/secrets/kubernetes.io/serviceaccount/"
context = ssl.create_default_context(cafile=base + "ca.crt")
request = urllib.request.Request(
    "https://kubernetes.default.svc/apis/authentication.k8s.io/v1/selfsubjectreviews",
    method="POST", data=b'{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}',
    headers={"Authorization": "Bearer " + open(base + "token").read(),
             "Content-Type": "application/json"})
answer = json.load(urllib.request.urlopen(request, context=context))
print(answer["status"]["userInfo"]["username"], flush=True)
import time; time.sleep(1000)
"""
    node_cluster.make(pod(namespace, "client", container("python", "-c", script)))
    log = node_cluster.wait_output(namespace, "client", "\n")
    assert log == f"system:serviceaccount:{namespace}:default\n"


def test_a_machine_without_user_namespaces_gets_one_line_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing = tmp_path / "bwrap"
    refusing.write_text(
        "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n"
    )
    refusing.chmod(0o755)
    monkeypatch.setattr(sandbox, "_programs", lambda: [refusing])
    with pytest.raises(UserError) as caught:
        find_bwrap()
    assert len(caught.value.lines) == 1
    assert "No permissions to create new namespace" in caught.value.lines[0]
    assert "run as root" in caught.value.lines[0] or "user namespaces" in caught.value.lines[0]
