"""The program runs as the language host runs it, and its failures are told once and plainly."""

import pytest

from tests.harness.engine import Project

pytestmark = pytest.mark.engine


def test_the_program_runs_in_its_own_folder_and_exports(cloud_project: Project) -> None:
    cloud_project.resources(exports={"answer": "42"})
    result = cloud_project.up()
    assert any(
        n.startswith("python: stand-in, not the Pulumi language host") for n in result.notices
    )
    stack = cloud_project.recorded("tiny-test")
    assert stack["outputs"] == {"answer": "42", "folder": "program"}


def test_a_users_mistake_is_one_error_without_a_traceback(cloud_project: Project) -> None:
    cloud_project.resources(runError="nodes: 0 is too small: use 1 or more")
    result = cloud_project.preview()
    assert not result.ok
    assert result.errors == ["nodes: 0 is too small: use 1 or more"]


def test_a_bug_is_traced_from_the_program_on(cloud_project: Project) -> None:
    cloud_project.resources(bug="boom")
    said = cloud_project.refused()
    assert said.count("ValueError: boom") == 1
    assert "program/__main__.py" in said
    assert "standin" not in said
    assert "asyncio" not in said


def test_a_program_that_is_not_there_is_named(cloud_project: Project) -> None:
    (cloud_project.root / "program" / "__main__.py").unlink()
    said = cloud_project.refused()
    assert "program" in said
    assert "Traceback" not in said


def test_about_and_dependencies_tell_the_programs_python(cloud_project: Project) -> None:
    cloud_project.resources()
    cloud_project.engine.ensure_stack("test")
    result = cloud_project.engine.run("about", "--json")
    assert result.ok, result.errors
    assert '"pulumi"' in result.stdout


def test_debug_lines_reach_the_engine_when_they_are_asked_for(cloud_project: Project) -> None:
    cloud_project.resources()

    def debug_lines(**environment: str) -> str:
        log = cloud_project.root / "events"
        log.unlink(missing_ok=True)
        environment["PULUMI_DEBUG_COMMANDS"] = "true"  # else the CLI knows no --event-log
        result = cloud_project.preview("--debug", "--event-log", str(log), **environment)
        assert result.ok, result.errors
        return log.read_text("utf-8")

    assert "registering resource" in debug_lines(AGENTIC_STANDIN_DEBUG="1")
    assert "registering resource" not in debug_lines()
