"""What shares a server runs on one worker, and nothing else waits in that line."""

import pytest

from tests.harness.schedule import WholeChains, chain

pytestmark = pytest.mark.unit


def scope(nodeid: str) -> str:
    scheduler = WholeChains.__new__(WholeChains)
    return str(scheduler._split_scope(nodeid))


def test_all_tests_of_one_platform_are_one_chain() -> None:
    first = scope("tests/e2e/test_conversation.py::test_a[x::y]")
    assert first == scope("tests/e2e/test_preview.py::test_b")
    assert first != scope("tests/local/node_agent/test_relay.py::test_b")


def test_files_that_ask_for_the_api_server_are_one_chain() -> None:
    files = ("tests/local/test_kube.py", "tests/api_server/test_every_object.py")
    assert {chain(file) for file in files} == {"api_server"}


def test_every_other_file_is_a_chain_of_its_own() -> None:
    for file in ("tests/engine/test_lifecycle.py", "tests/local/test_process.py"):
        assert scope(f"{file}::test_a") == scope(f"{file}::test_b[1]") == file
