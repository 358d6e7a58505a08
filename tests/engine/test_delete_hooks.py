"""Hooks of the program run before a deletion, and nobody can delete without them."""

import pytest

from tests.harness.engine import Project

pytestmark = pytest.mark.engine
QUEUE = {"type": "aws:sqs/queue:Queue", "properties": {}}
AWS = {"aws": {"region": "us-west-2"}}


def test_a_destroy_runs_the_hooks_or_does_nothing(cloud_project: Project) -> None:
    project = cloud_project
    guarded = QUEUE | {"name": "guarded", "beforeDelete": ["drain"]}
    later = QUEUE | {"name": "later", "dependsOn": ["guarded"]}
    project.resources(guarded, later, providers=AWS, hooks={"drain": {"fail": "a node is left"}})
    project.up()
    plain = project.run("destroy", "--yes", "--skip-preview")
    assert not plain.ok
    assert "the program is not running. Hooks: drain" in "\n".join(plain.errors)

    failed = project.run("destroy", "--yes", "--skip-preview", "--run-program")
    assert not failed.ok
    assert any("a node is left" in line for line in failed.errors), failed.errors
    left = {each["urn"].rsplit("::", 1)[1] for each in project.exported()["resources"]}
    assert "guarded" in left
    assert "later" not in left

    project.resources(guarded, providers=AWS, hooks={"drain": {}})
    gone = project.run("destroy", "--yes", "--skip-preview", "--run-program")
    assert gone.ok, gone.errors
    assert project.exported().get("resources", []) == []
    assert (project.root / "hooks.txt").read_text() == "drain guarded\ndrain guarded\n"
