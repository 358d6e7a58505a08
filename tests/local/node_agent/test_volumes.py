"""The files of a Pod's volumes, and how they reach the disk."""

from pathlib import Path
from typing import Any

import pytest

from local.node_agent import volume_files
from local.node_agent.sources import SourceMissing
from local.node_agent.subpath import SubPathRefused, resolve_subpath
from local.node_agent.volumes import File, TokenRequest, files, references, token_requests
from tests.local.node_agent.samples import config_map, container, pod, secret, sources

pytestmark = pytest.mark.unit
SOURCES = sources(
    config_maps={"settings": config_map(**{"a.yaml": "A", "b.yaml": "B"})},
    secrets={"login": secret(password="pw", user="me")},
)


def made(volume: dict[str, Any]) -> dict[str, File]:
    return files(volume, SOURCES, lambda request: f"token for {request.audience}")


def test_a_config_map_gives_all_its_keys_or_the_chosen_ones() -> None:
    assert made({"configMap": {"name": "settings"}}) == {
        "a.yaml": File(b"A", 0o644),
        "b.yaml": File(b"B", 0o644),
    }
    chosen = {"name": "settings", "items": [{"key": "a.yaml", "path": "conf/x", "mode": 0o600}]}
    assert made({"configMap": chosen}) == {"conf/x": File(b"A", 0o600)}


def test_secret_files_are_closed_to_everyone_but_their_owner() -> None:
    found = made({"secret": {"secretName": "login", "defaultMode": 0o444}})
    assert {file.mode for file in found.values()} == {0o400}


def test_a_projected_volume_joins_its_sources() -> None:
    volume = {
        "projected": {
            "defaultMode": 0o440,
            "sources": [
                {"configMap": {"name": "settings", "items": [{"key": "a.yaml", "path": "a"}]}},
                {"secret": {"name": "login", "items": [{"key": "user", "path": "user"}]}},
                {
                    "downwardAPI": {
                        "items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]
                    }
                },
                {"serviceAccountToken": {"path": "token", "audience": "vault"}},
            ],
        }
    }
    found = made(volume)
    assert found["a"] == File(b"A", 0o440)
    assert found["user"] == File(b"me", 0o400)
    assert found["labels"].content == b'app="web"\ntier="a\\"b"'
    assert found["token"] == File(b"token for vault", 0o400)
    assert token_requests(volume) == [TokenRequest("token", "vault", 3600)]


@pytest.mark.parametrize(
    "volume",
    [
        {"configMap": {"name": "gone"}},
        {"secret": {"secretName": "login", "items": [{"key": "gone", "path": "x"}]}},
        {"configMap": {"name": "settings", "items": [{"key": "a.yaml", "path": "../../etc/x"}]}},
        {"configMap": {"name": "settings", "items": [{"key": "a.yaml", "path": "/etc/x"}]}},
    ],
)
def test_missing_sources_and_paths_that_lead_out_are_refused(volume: dict[str, Any]) -> None:
    with pytest.raises(SourceMissing):
        made(volume)


def test_optional_sources_may_be_missing() -> None:
    assert made({"secret": {"secretName": "gone", "optional": True}}) == {}


def test_a_pod_names_the_objects_that_its_volumes_are_made_of() -> None:
    volumes = [
        {"name": "a", "configMap": {"name": "settings"}},
        {"name": "b", "projected": {"sources": [{"secret": {"name": "login"}}]}},
        {"name": "c", "emptyDir": {}},
    ]
    found = references(pod(container(), volumes=volumes))
    assert found == {("ConfigMap", "settings"), ("Secret", "login")}


def test_files_are_replaced_as_a_whole_and_vanish_with_their_keys(tmp_path: Path) -> None:
    folder = tmp_path / "volume"
    assert volume_files.write(folder, {"a": File(b"1"), "sub/b": File(b"2", 0o400)})
    assert (folder / "a").read_bytes() == b"1"
    assert (folder / "sub" / "b").stat().st_mode & 0o777 == 0o400
    before = (folder / "..data").readlink()
    assert not volume_files.write(folder, {"a": File(b"1"), "sub/b": File(b"2", 0o400)})
    assert (folder / "..data").readlink() == before
    assert volume_files.write(folder, {"a": File(b"new")})
    assert (folder / "a").read_bytes() == b"new"
    visible = sorted(p.name for p in folder.iterdir() if not p.name.startswith(".."))
    assert visible == ["a"]
    assert len([p for p in folder.iterdir() if p.is_dir() and not p.is_symlink()]) == 1
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_sub_path_is_made_inside_a_volume_that_pods_write(tmp_path: Path) -> None:
    assert resolve_subpath(tmp_path, "a/b", create=True) == tmp_path / "a" / "b"
    assert (tmp_path / "a" / "b").is_dir()


@pytest.mark.parametrize("inside", ["../x", "/etc", "a/../../x", ""])
def test_a_sub_path_that_leads_out_is_refused(tmp_path: Path, inside: str) -> None:
    with pytest.raises(SubPathRefused):
        resolve_subpath(tmp_path, inside, create=True)


def test_a_symlink_that_a_pod_planted_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume" / "link").symlink_to("/etc")
    with pytest.raises(SubPathRefused, match="symlink"):
        resolve_subpath(tmp_path / "volume", "link/ssh", create=True)


def test_a_sub_path_of_a_written_volume_is_the_file_itself(tmp_path: Path) -> None:
    volume_files.write(tmp_path / "v", {"a": File(b"1")})
    assert resolve_subpath(tmp_path / "v", "a", create=False).read_bytes() == b"1"
    with pytest.raises(SubPathRefused, match="does not exist"):
        resolve_subpath(tmp_path / "v", "b", create=False)
