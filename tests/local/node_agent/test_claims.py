"""Addresses, claims, launches and the kubelet API's queries: the decisions in them."""

from pathlib import Path
from typing import Any

import pytest

from local.node_agent.addresses import Addresses, NoAddressLeft
from local.node_agent.claims import claim_folder, is_ours, persistent_volume
from local.node_agent.sources import SourceMissing

pytestmark = pytest.mark.unit


def claim(**spec: Any) -> dict[str, Any]:
    filled = {
        "storageClassName": "local",
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
    }
    return {
        "metadata": {"namespace": "shop", "name": "data-db-0", "uid": "u1"},
        "spec": filled | spec,
        "status": {"phase": "Pending"},
    }


@pytest.mark.parametrize(
    ("spec", "ours"),
    [
        ({}, True),
        ({"storageClassName": "gp3"}, False),
        ({"storageClassName": ""}, False),
        ({"volumeName": "pvc-u1"}, False),
        ({"selector": {"matchLabels": {"a": "b"}}}, False),
    ],
)
def test_only_unbound_claims_of_the_local_class_are_provided_for(
    spec: dict[str, Any], *, ours: bool
) -> None:
    assert is_ours(claim(**spec)) is ours


def test_a_claim_is_served_from_its_own_folder(tmp_path: Path) -> None:
    volume = persistent_volume(claim(), tmp_path)
    assert volume["spec"]["claimRef"]["uid"] == "u1"
    bound = claim(volumeName="pvc-u1") | {"status": {"phase": "Bound"}}
    folder = claim_folder(bound, "data", lambda _namespace, _name: volume, tmp_path)
    assert folder == tmp_path / "pvc-u1"
    assert folder.is_dir()


def test_a_hand_made_volume_can_not_show_a_host_folder_to_a_pod(tmp_path: Path) -> None:
    volume = persistent_volume(claim(), tmp_path)
    volume["spec"]["hostPath"]["path"] = "/root/.ssh"
    bound = claim(volumeName="pvc-u1") | {"status": {"phase": "Bound"}}
    with pytest.raises(SourceMissing, match="did not make"):
        claim_folder(bound, "data", lambda _namespace, _name: volume, tmp_path)


def test_an_unbound_or_missing_claim_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match="not bound yet"):
        claim_folder(claim(), "data", lambda _namespace, _name: None, tmp_path)
    with pytest.raises(SourceMissing, match="not found"):
        claim_folder(None, "data", lambda _namespace, _name: None, tmp_path)


def test_addresses_are_kept_wanted_ones_given_and_released_ones_not_reused_at_once() -> None:
    addresses = Addresses("127.128.0.0/16")
    first = addresses.claim("a")
    assert addresses.claim("a") == first
    assert addresses.claim("b", "127.128.7.7") == "127.128.7.7"
    assert addresses.claim("c", "127.128.7.7") != "127.128.7.7"
    assert addresses.claim("d", "10.0.0.1").startswith("127.128.")
    addresses.release("a")
    assert addresses.claim("e") != first


def test_a_full_network_is_said_to_be_full() -> None:
    addresses = Addresses("127.128.0.0/29")
    for number in range(5):
        addresses.claim(str(number))
    with pytest.raises(NoAddressLeft, match=r"127\.128\.0\.0/29"):
        addresses.claim("x")


def test_pods_can_only_live_on_loopback() -> None:
    with pytest.raises(ValueError, match=r"127\.0\.0\.0/8"):
        Addresses("10.0.0.0/16")
