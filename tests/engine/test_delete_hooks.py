"""Hooks of the program run before a deletion, and nobody can delete without them."""

import pytest

from tests.harness.engine import Project, kubernetes

pytestmark = [pytest.mark.engine, pytest.mark.slow]
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


def storage_class(name: str | None, disk: str) -> dict[str, object]:
    """Of Auto Mode, so that drains stand before it; another disk replaces it."""
    properties = {
        "metadata": {"name": name} if name else {},
        "provisioner": "ebs.csi.eks.amazonaws.com",
        "parameters": {"type": disk},
    }
    return kubernetes("storage.k8s.io/v1:StorageClass", name or "unnamed", properties)


def test_what_is_replaced_or_told_not_to_is_not_drained(project: Project) -> None:
    """A drain that ran would fail: nobody answers at its address."""
    nobody = """{"clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "c", "user": {"token": "none"}}], "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}]}"""
    drain = {"kubeconfig": nobody, "teardown": {}}
    named, unnamed = storage_class("drained-class", "gp2"), storage_class(None, "gp2")
    project.resources(named, unnamed, drain=drain)
    project.up()
    # The named one goes before its successor comes, the other one after.
    project.resources(
        storage_class("drained-class", "gp3"), storage_class(None, "gp3"), drain=drain
    )
    replaced = project.up()
    assert replaced.changes["replace"] == 2
    for name in ("drained-class", "unnamed"):
        assert f"before {name} goes: it is replaced, so nothing is drained" in replaced.notices

    failed = project.run("destroy", "--yes", "--skip-preview", "--run-program")
    said = "\n".join(failed.errors)
    assert "the cluster does not answer" in said
    assert len(project.exported()["resources"]) >= 4

    # What leaves the program is drained as well, by the hooks that its state names.
    project.resources(named, drain=drain)
    removed = project.run("up", "--yes", "--skip-preview")
    assert "the cluster does not answer" in "\n".join(removed.errors)

    drain["teardown"] = {"drain": False}
    project.resources(named, drain=drain)
    gone = project.run("destroy", "--yes", "--skip-preview", "--run-program")
    assert gone.ok, gone.errors
    assert project.exported().get("resources", []) == []
