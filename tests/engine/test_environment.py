"""The surroundings of the engine: backends, plugins, the `pulumi` on people's PATH."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest
from pulumi.runtime.proto import (
    language_pb2,
    language_pb2_grpc,
    provider_pb2,
    provider_pb2_grpc,
)

from local.engine.plugins import PLUGINS, Plugin
from local.paths import Cache
from local.report import UserError
from tests.harness.api_server import ApiServer
from tests.harness.engine import Project, config_map

pytestmark = pytest.mark.engine


class Plugged:
    """One plugin executable, started as the engine starts it."""

    def __init__(self, executable: Path, **environment: str) -> None:
        self.process = subprocess.Popen(
            [str(executable)],
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.channel = grpc.insecure_channel(f"127.0.0.1:{int(self.process.stdout.readline())}")

    def __enter__(self) -> "Plugged":
        return self

    def __exit__(self, *_: object) -> None:
        self.channel.close()
        self.process.terminate()
        assert self.process.wait(30) == 0
        assert self.process.stdout is not None
        self.process.stdout.close()


def executable(project: Project, plugin: Plugin) -> Path:
    return project.state.pulumi_home / "plugins" / plugin.folder / plugin.executable


@pytest.mark.parametrize("plugin", [p for p in PLUGINS if p.version], ids=lambda p: p.name)
@pytest.mark.parametrize("url", ["s3://bucket/state", "https://user:secret@api.example.com"])
def test_a_stand_in_serves_no_backend_but_files(
    cloud_project: Project, plugin: Plugin, url: str
) -> None:
    cloud_project.engine.environment()
    with Plugged(executable(cloud_project, plugin), PULUMI_BACKEND_URL=url) as plugged:
        if plugin.kind == "language":
            host = language_pb2_grpc.LanguageRuntimeStub(plugged.channel)
            said = host.Run(language_pb2.RunRequest()).error
        else:
            provider = provider_pb2_grpc.ResourceProviderStub(plugged.channel)
            said = provider.CheckConfig(provider_pb2.CheckRequest()).failures[0].reason
            with pytest.raises(grpc.RpcError, match="serves file:// backends only"):
                provider.Configure(provider_pb2.ConfigureRequest())
    assert "this is a stand-in and serves file:// backends only" in said
    assert 'eval "$(make -s env)"' in said
    assert "secret" not in said


def test_a_plugin_ends_when_its_engine_is_gone(cloud_project: Project) -> None:
    cloud_project.engine.environment()
    target = executable(cloud_project, PLUGINS[1])
    code = (
        "import subprocess, sys; p = subprocess.Popen([sys.argv[1]], stdout=subprocess.PIPE); "
        "p.stdout.readline(); print(p.pid)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(target)], capture_output=True, text=True, check=True
    )
    process = Path(f"/proc/{int(done.stdout)}")
    _await(lambda: not process.exists() or "State:\tZ" in (process / "status").read_text())


def _await(condition: Any) -> None:
    import time

    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_real_plugin_is_preferred_and_a_change_of_kind_refused(
    cloud_project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = cloud_project
    project.resources()
    project.up()
    record = project.state.root / "pulumi" / "plugins.json"
    assert json.loads(record.read_text())["kubernetes"] == "stand-in"

    kubernetes = PLUGINS[1]
    home = tmp_path / "home"
    real = home / ".pulumi" / "plugins" / kubernetes.folder / kubernetes.executable
    real.parent.mkdir(parents=True)
    real.write_text("#!/bin/sh\nexit 1\n")
    real.chmod(real.stat().st_mode | stat.S_IXUSR)
    # another home, the same tools
    monkeypatch.setenv("XDG_CACHE_HOME", str(Cache.default().root.parent))
    monkeypatch.setenv("HOME", str(home))
    with pytest.raises(UserError, match="kubernetes: stand-in before, real now"):
        project.new_engine().environment()
    assert json.loads(record.read_text())["kubernetes"] == "stand-in"

    fresh = Project(tmp_path / "fresh")
    fresh.engine.environment()
    assert executable(fresh, kubernetes).resolve() == real
    kinds = json.loads((fresh.state.root / "pulumi" / "plugins.json").read_text())
    assert (kinds["kubernetes"], kinds["aws"]) == ("real", "stand-in")


def test_the_plain_cli_works_with_the_environment(
    tmp_path: Path, api_server: ApiServer, namespace: str
) -> None:
    project = Project(tmp_path, api_server.kubeconfig)
    project.resources(config_map("settings", namespace, {"a": "1"}))
    before = project.stack_file.read_bytes()
    environment = os.environ | project.engine.environment()

    def pulumi(*args: str) -> "subprocess.CompletedProcess[str]":
        command = ["pulumi", *args, "--non-interactive", "--color", "never"]
        return subprocess.run(
            command, cwd=project.root, env=environment, capture_output=True, text=True, check=False
        )

    up = pulumi("up", "--yes", "--stack", "test")
    assert up.returncode == 0, up.stdout + up.stderr
    assert "kubernetes: stand-in, not the Pulumi plugin" in up.stdout
    assert api_server.client.get("v1", "ConfigMap", "settings", namespace)["data"] == {"a": "1"}
    assert pulumi("preview", "--expect-no-changes").returncode == 0, "the first stack is selected"
    unknown = pulumi("preview", "-s", "nobody")
    assert (unknown.returncode, unknown.stderr) == (
        2,
        "stack 'nobody': no file Pulumi.nobody.yaml; known stacks: test\n",
    )
    assert pulumi("destroy", "--yes").returncode == 0
    assert project.stack_file.read_bytes() == before
    assert [file.name for file in project.root.glob("Pulumi.*.yaml")] == ["Pulumi.test.yaml"]
