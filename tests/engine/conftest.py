"""Projects over the session's API server; each test has its own namespace and its own state."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.paths import State
from tests.harness.api_server import ApiServer, running_api_server
from tests.harness.engine import STACK, Project

SHARED = ("passphrase", "salt", "plugins.json")


@pytest.fixture(scope="session")
def empty_state(tmp_path_factory: pytest.TempPathFactory) -> State:
    """A state with the empty stack, made once: the CLI is started three times for it."""
    project = Project(tmp_path_factory.mktemp("empty-state"))
    project.engine.ensure_stack(STACK)
    return project.state


@pytest.fixture
def project(tmp_path: Path, api_server: ApiServer, empty_state: State) -> Project:
    """The tiny program, deploying to the real API server."""
    return begun(Project(tmp_path, api_server.kubeconfig), empty_state)


@pytest.fixture
def cloud_project(tmp_path: Path, empty_state: State) -> Project:
    """The tiny program without any API server."""
    return begun(Project(tmp_path), empty_state)


@pytest.fixture
def namespace(request: pytest.FixtureRequest, api_server: ApiServer) -> Iterator[str]:
    """A namespace that is there before the program runs, and is emptied by its going."""
    name = api_server.namespace(f"t{abs(hash(request.node.nodeid)) % 10**8}")
    yield name
    api_server.client.delete("v1", "Namespace", name)


def begun(project: Project, empty: State) -> Project:
    """The project with a copy of the empty state, of its own from here on."""
    project.state.make()
    for name in SHARED:
        target = project.state.root / "pulumi" / name
        shutil.copyfile(empty.root / "pulumi" / name, target)
        target.chmod(0o600)
    shutil.copytree(empty.pulumi_state, project.state.pulumi_state, dirs_exist_ok=True)
    return project


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An API server of the stack's own: the namespaces have fixed names, and a failed test leaves
    them behind."""
    with running_api_server(tmp_path_factory.mktemp("stacks")) as kubeconfig:
        yield kubeconfig
