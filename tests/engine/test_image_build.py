"""The builder's stand-in on the real engine: digests that follow from the files that are sent."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.harness.engine import Project

pytestmark = pytest.mark.engine

DIGEST = re.compile(r"^registry\.example/app:1@sha256:[0-9a-f]{64}$")


def application(project: Project, password: str = "p1") -> dict[str, Any]:  # noqa: S107 - no secret
    """An image of the folder `app` of the project, told where it is as the platform does it."""
    (project.root / "app").mkdir(exist_ok=True)
    for name, text in {
        "Dockerfile": "FROM scratch\nCOPY main.py /\n",
        "Dockerfile.dockerignore": "*\n!main.py\n",
        "main.py": "print('one')\n",
        "notes.txt": "for people\n",
    }.items():
        if not (project.root / "app" / name).exists():
            (project.root / "app" / name).write_text(text)
    properties = {
        "context": {"location": "../app"},
        "dockerfile": {"location": "../app/Dockerfile"},
        "tags": ["registry.example/app:1"],
        "push": True,
        "registries": [{"address": "registry.example", "username": "u", "password": password}],
    }
    return {
        "type": "docker-build:index:Image",
        "name": "app",
        "properties": properties,
        "outputs": ["ref", "digest"],
    }


def deploy(project: Project, **settings: str) -> None:
    project.resources(application(project, **settings), providers={"docker-build": {}})


def reference(project: Project) -> str:
    found: str = project.recorded("app")["outputs"]["ref"]
    return found


@pytest.fixture
def built(cloud_project: Project) -> Project:
    deploy(cloud_project)
    cloud_project.up()
    return cloud_project


def test_an_unchanged_context_is_no_change_and_a_changed_one_another_digest(built: Project) -> None:
    first = reference(built)
    assert DIGEST.match(first)
    assert built.preview("--refresh").changed == 0

    (built.root / "app" / "main.py").write_text("print('two')\n")
    planned = built.preview()
    assert planned.changes["update"] == 1
    built.up()
    assert reference(built) != first

    (built.root / "app" / "main.py").write_text("print('one')\n")
    built.up()
    assert reference(built) == first, "the digest is of the content alone"


def test_files_that_are_not_sent_and_fresh_credentials_change_nothing(built: Project) -> None:
    (built.root / "app" / "notes.txt").write_text("other notes\n")
    deploy(built, password="p2")
    assert built.preview().changed == 0


def test_a_context_that_is_not_there_is_named(cloud_project: Project) -> None:
    deploy(cloud_project)
    Path(cloud_project.root / "app" / "Dockerfile").unlink()
    result = cloud_project.run("up", "--yes", "--skip-preview")
    assert not result.ok
    assert any("docker-build: ../app/Dockerfile is not there" in it for it in result.errors)
