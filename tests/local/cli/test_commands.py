"""Small promises of the commands: secrets made once, logs found, stale files ignored."""

import json
import os
import stat
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from joserfc import jwt
from joserfc.jwk import KeySet

from local import secrets
from local.cli import logs, platform, preparation
from local.cli.deployment import stack_file
from local.engine.stack_files import KEY
from local.paths import Cache, State
from local.report import Progress, UserError
from local.workloads import prometheus_package

pytestmark = pytest.mark.unit


def test_secrets_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    secrets.ensure(tmp_path)
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}
    secrets.ensure(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_a_secret_whose_writing_was_interrupted_is_made_whole(tmp_path: Path) -> None:
    (tmp_path / ".session-store-password.draft").write_text("ha")
    secrets.ensure(tmp_path)
    assert len((tmp_path / "session-store-password").read_text()) > 20
    assert not list(tmp_path.glob(".*"))


def test_a_minted_token_verifies_with_the_published_key_set(tmp_path: Path) -> None:
    secrets.ensure(tmp_path)
    now = int(time.time())
    token = secrets.mint(tmp_path, tenant="demo", lifetime_seconds=60, now=now)
    published = json.loads((tmp_path / secrets.KEY_SET).read_text())
    assert "d" not in published["keys"][0], "the private part must not be published"
    claims = jwt.decode(token, KeySet.import_key_set(published), algorithms=["ES256"]).claims
    assert (claims["tenant"], claims["exp"]) == ("demo", now + 60)


def test_a_log_is_found_by_part_of_its_name_and_ambiguity_lists_the_names(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("etcd.log", "pods_a_web.log", "pods_b_web.log")]
    assert logs.choose(paths, "etcd", tmp_path) == paths[0]
    with pytest.raises(UserError, match="pods_a_web, pods_b_web"):
        logs.choose(paths, "web", tmp_path)
    with pytest.raises(UserError, match="etcd"):
        logs.choose(paths, "absent", tmp_path)


def test_a_status_file_left_by_a_dead_supervisor_is_no_platform(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.make()
    alive_but_another = {"pid": os.getpid(), "phase": "running"}
    (state.run / "supervisor.json").write_text(json.dumps(alive_but_another))
    assert platform.find(state) is None
    (state.run / "supervisor.json").write_text("{ half")
    assert platform.find(state) is None


def test_an_unknown_stack_is_one_line_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"prodd.*known stacks: dev, local, prod"):
        stack_file("prodd", None)


def test_without_prometheus_the_stack_is_deployed_without_metrics_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(prometheus_package, "installed", lambda _: None)
    monkeypatch.setattr(
        prometheus_package, "shutil", SimpleNamespace(which=lambda _: None), raising=True
    )
    state = State(tmp_path / "state")
    state.make()
    file = tmp_path / "Pulumi.local.yaml"
    data = {"metrics": {"variant": "embedded"}, "modelServers": {}}
    file.write_text(yaml.safe_dump({"config": {KEY: data}}))
    adapted = preparation.prepare(file, state, Cache(tmp_path / "cache"), Progress(as_json=True))
    assert adapted.file != file
    chosen = yaml.safe_load(adapted.file.read_text())["config"][KEY]["metrics"]
    assert chosen == {"variant": "none"}
    assert "no metrics" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("data", "definitions", "port"),
    [
        ({"gateway": {"variant": "envoy", "port": 18080}}, (), 18080),
        ({"gateway": {"variant": "envoy"}, "metrics": {"variant": "none"}}, (), 80),
        ({"gateway": {"variant": "kgateway", "port": 80}}, ("gateway-api",), None),
        (
            {"gateway": {"variant": "agentgateway"}, "metrics": {"variant": "chart"}},
            ("gateway-api", "prometheus-operator"),
            None,
        ),
    ],
)
def test_a_stack_file_says_which_kinds_and_port_it_needs(
    tmp_path: Path, data: dict[str, Any], definitions: tuple[str, ...], port: int | None
) -> None:
    file = tmp_path / "Pulumi.local.yaml"
    file.write_text(yaml.safe_dump({"config": {KEY: data}}))
    found = preparation.prepare(
        file, State(tmp_path), Cache(tmp_path / "cache"), Progress(as_json=True)
    )
    assert (found.file, found.definitions, found.gateway_port) == (file, definitions, port)
