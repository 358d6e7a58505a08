"""The data plane's real parts, one of each for all tests here, on free loopback ports."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.workload import Workload, workload

PASSWORD = "a-password-for-tests"


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


@pytest.fixture(scope="session")
def milvus_url(request: pytest.FixtureRequest) -> str:
    """A Milvus server from the environment variable MILVUS_URL, else Milvus Lite."""
    given = os.environ.get("MILVUS_URL")
    return given or str(request.getfixturevalue("milvus").url)
