import ipaddress
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from local.control_plane import Slot, lease
from local.control_plane.ports import require_free
from local.control_plane.slots import SLOTS, holders
from local.paths import CHECKOUT, Cache
from local.report import UserError

pytestmark = pytest.mark.services

HOLD = """
import sys
from pathlib import Path
from local.control_plane import lease
from local.paths import Cache
print(lease(Cache(Path(sys.argv[1])), owner=Path(sys.argv[2])).number, flush=True)
sys.stdin.read()
"""


class Other:
    """Another process that holds a slot until it is told to end."""

    def __init__(self, cache: Cache, owner: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(cache.root), str(owner)],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        self.number = int(self.process.stdout.readline())

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def test_two_processes_hold_different_slots_and_each_says_whose_it_is(
    cache: Cache, tmp_path: Path
) -> None:
    other = Other(cache, tmp_path / "other")
    try:
        mine = lease(cache, owner=tmp_path / "mine")
        assert mine.number != other.number
        held = holders(cache)
        assert held[other.number].owner == str(tmp_path / "other")
        assert held[other.number].pid == other.process.pid
        mine.release()
    finally:
        other.end()


def test_a_slot_is_free_again_when_its_process_was_killed(cache: Cache, tmp_path: Path) -> None:
    other = Other(cache, tmp_path / "other")
    other.end()
    assert holders(cache) == {}
    slot = lease(cache, owner=tmp_path / "other")
    assert slot.number == other.number
    slot.release()


def test_a_platform_comes_back_to_the_slot_of_its_data(cache: Cache, tmp_path: Path) -> None:
    owner = tmp_path / "mine"
    owner.mkdir()
    (owner / "slot").write_text("11\n")
    slot = lease(cache, owner=owner)
    assert slot.number == 11
    slot.release()


def test_a_slot_that_another_platform_has_data_for_is_taken_last(
    cache: Cache, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    first = lease(cache, owner=other)
    other.mkdir()
    (other / "slot").write_text(f"{first.number}\n")
    first.release()
    second = lease(cache, owner=tmp_path / "mine")
    assert second.number != first.number
    second.release()


def test_when_all_slots_are_taken_the_holders_are_named(cache: Cache, tmp_path: Path) -> None:
    taken: list[Slot] = []
    with pytest.raises(UserError, match=r"all 16 slots .* `make down`") as refused:  # noqa: PT012 - which one is refused depends on strangers
        for number in range(len(SLOTS) + 1):
            taken.append(lease(cache, owner=tmp_path / f"checkout-{number}"))  # noqa: PERF401 - what was taken before the refusal counts
    # a stranger may listen on some slots' addresses; all others were leased
    assert len(refused.value.lines) == 1 + len(taken)
    assert "checkout-0 (pid " in str(refused.value)
    for slot in taken:
        slot.release()


def test_a_slot_on_whose_addresses_a_stranger_listens_is_passed_over(
    cache: Cache, tmp_path: Path
) -> None:
    first = lease(cache, owner=tmp_path / "mine")
    first.release()
    with socket.create_server((first.node_ip, 6443)):
        second = lease(cache, owner=tmp_path / "mine")
    assert second.number != first.number
    second.release()


def test_the_address_ranges_of_all_slots_are_apart_and_loopback() -> None:
    ranges = [
        ipaddress.ip_network(cidr)
        for slot in map(Slot, SLOTS)
        for cidr in (f"{slot.node_ip}/32", slot.service_cidr, slot.pod_cidr)
    ]
    assert all(network.is_loopback for network in ranges)
    for at, network in enumerate(ranges):
        assert not any(network.overlaps(other) for other in ranges[at + 1 :])
    first = Slot(3)
    assert ipaddress.ip_address(first.service_ip) == ipaddress.ip_network(first.service_cidr)[1]


def test_every_taken_port_is_named_with_its_holder() -> None:
    address = "127.63.0.1"
    with (
        socket.create_server((address, 2379)),
        socket.create_server((address, 6443)),
        pytest.raises(UserError) as refused,
    ):
        require_free(address, ["etcd", "kube-apiserver", "kube-scheduler"])
    assert len(refused.value.lines) == 2
    for line, name in zip(refused.value.lines, ("etcd: ", "kube-apiserver: "), strict=True):
        assert line.startswith(f"{name}{address}:")
        assert f"(pid {os.getpid()})" in line
