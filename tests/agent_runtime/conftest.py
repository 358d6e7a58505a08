"""The data plane's real parts, one of each for all tests here, on free loopback ports."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.agent_runtime.milvus_command import bootstrap as bootstrap
from tests.harness.workload import Workload, workload

if TYPE_CHECKING:
    from tests.harness.milvus_server import VectorStore

PASSWORD = "a-password-for-tests"

# on a machine that does other things besides, an example takes as long as it likes
settings.register_profile(
    "busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("busy machine")


@pytest.fixture(scope="session")
def password_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("secret") / "password"
    path.write_text(PASSWORD)
    return path


@pytest.fixture(scope="session")
def valkey(password_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workload]:
    """A session store that wants a password."""
    data = tmp_path_factory.mktemp("valkey")
    with workload("session_store", "--password-file", password_file, "--data", data) as running:
        yield running


@pytest.fixture(scope="session")
def milvus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workload]:
    """A Milvus Lite server."""
    with workload("vector_store", "--data-dir", tmp_path_factory.mktemp("milvus")) as running:
        yield running


@pytest.fixture
def collection() -> str:
    """A collection that no other test uses."""
    return f"support-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="session", params=["lite", pytest.param("server", marks=pytest.mark.slow)])
def vector_store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator["VectorStore"]:
    """Milvus Lite, and in the slow tier a server with passwords and TLS: MILVUS_URL or our own."""
    from tests.harness.milvus_server import VectorStore, prepared_server

    folder = tmp_path_factory.mktemp("vector-store")
    if request.param == "lite":
        yield VectorStore(request.getfixturevalue("milvus").url, folder)
        return
    with prepared_server(folder) as server:
        yield server
