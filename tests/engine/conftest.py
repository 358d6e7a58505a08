"""Projects over the session's API server; each test has its own namespace and its own state."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.api_server import ApiServer
from tests.harness.engine import Project

SHARED = ("passphrase", "salt")


@pytest.fixture(scope="session")
def secrets_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A passphrase with its salt, made once: the engine takes a second for it."""
    project = Project(tmp_path_factory.mktemp("salt"))
    project.engine.ensure_stack("test")
    return project.state.root / "pulumi"


@pytest.fixture
def project(tmp_path: Path, api_server: ApiServer, secrets_folder: Path) -> Project:
    """The tiny program, deploying to the real API server."""
    return with_secrets(Project(tmp_path, api_server.kubeconfig), secrets_folder)


@pytest.fixture
def cloud_project(tmp_path: Path, secrets_folder: Path) -> Project:
    """The tiny program without any API server."""
    return with_secrets(Project(tmp_path), secrets_folder)


@pytest.fixture
def namespace(request: pytest.FixtureRequest, api_server: ApiServer) -> Iterator[str]:
    """A namespace that is there before the program runs, and is emptied by its going."""
    name = api_server.namespace(f"t{abs(hash(request.node.nodeid)) % 10**8}")
    yield name
    api_server.client.delete("v1", "Namespace", name)


def with_secrets(project: Project, folder: Path) -> Project:
    project.state.make()
    for name in SHARED:
        target = project.state.root / "pulumi" / name
        target.write_text((folder / name).read_text())
        target.chmod(0o600)
    return project
