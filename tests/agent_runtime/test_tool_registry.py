"""The registry while it runs: changed files, broken files, runs that keep what they began with."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from agent_runtime.tools.address_guard import AddressGuard
from agent_runtime.tools.following import referenced, resolver
from agent_runtime.tools.registry import ToolRegistry, bind
from agent_runtime.tools.tool_files import ToolFiles
from agent_runtime.tools.tool_follower import Change, ToolFollower, followed
from agent_runtime.tools.tool_metrics import ToolMetrics
from agents.document import AgentDocument, ToolDocument, load_documents, resolve_tools
from tests.harness.mcp_service import notes_server

pytestmark = pytest.mark.services

AGENT = """
apiVersion: kagent.dev/v1alpha1
kind: Agent
metadata: {name: helper}
spec: {model: {name: m}, tools: [search, {name: think, type: code}]}
"""
TOOL = """
apiVersion: kagent.dev/v1alpha1
kind: Tool
metadata: {name: search}
spec: {type: api, description: %s, config: {endpoint: "https://search.example/%s"}}
"""


def documents(text: str) -> list[ToolDocument]:
    return [each for each in load_documents(text) if isinstance(each, ToolDocument)]


@asynccontextmanager
async def registry(*tools: Any) -> AsyncIterator[ToolRegistry]:
    unused: Any = None
    made = bind(
        tools,
        guard=AddressGuard(["127.0.0.1"]),
        secrets_dir=Path("/nowhere"),
        memory=unused,
        embedder=unused,
    )
    try:
        yield made
    finally:
        await made.close()


@asynccontextmanager
async def followed_agent(
    first: str = TOOL % ("first", "a"),
) -> AsyncIterator[tuple[ToolRegistry, ToolFollower, CollectorRegistry]]:
    (agent,) = load_documents(AGENT)
    assert isinstance(agent, AgentDocument)
    tools = resolve_tools(agent, documents(first))
    numbers = CollectorRegistry()
    async with registry(*tools) as made:
        follower = ToolFollower(
            made,
            resolver(agent),
            known=referenced(agent, tools),
            metrics=ToolMetrics(numbers, "helper"),
        )
        yield made, follower, numbers


def description(made: ToolRegistry) -> str:
    return made.find("search").tool.description


async def until(condition: Any) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 # files have no event to wait for
            await asyncio.sleep(0.02)


async def test_a_changed_file_is_taken_in_without_a_restart(tmp_path: Path) -> None:
    """The file changes as kubelet changes it: a symbolic link moves to another folder."""
    for name, words in (("one", "first"), ("two", "second")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tools.yaml").write_text(TOOL % (words, "a"))
    (tmp_path / "data").symlink_to(tmp_path / "one")
    path = tmp_path / "data" / "tools.yaml"
    source = ToolFiles([path], poll_seconds=0.02)
    async with followed_agent() as (made, follower, _), followed(follower, source):
        assert description(made) == "first"
        (tmp_path / "next").symlink_to(tmp_path / "two")
        (tmp_path / "next").replace(tmp_path / "data")
        await until(lambda: description(made) == "second")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TOOL % ("third", "a"), ""),
        (TOOL.replace("type: api", "type: apy") % ("bad", "a"), "'apy' is not allowed"),
        ("{broken", "is not YAML"),
        ("", ""),
        (TOOL.replace("name: search", "name: other") % ("other", "a"), ""),
    ],
)
async def test_a_broken_or_missing_tool_leaves_the_last_good_version(
    tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "tools.yaml"
    path.write_text(TOOL % ("second", "a"))
    async with followed_agent() as (made, follower, numbers):
        source = ToolFiles([path], poll_seconds=0.02)
        async with followed(follower, source):
            await until(lambda: description(made) == "second")
            path.write_text(text)
            if said:
                await until(lambda: said in follower.conditions.get("", ""))
                refused = numbers.get_sample_value(
                    "agent_tool_reloads_total", {"agent": "helper", "outcome": "refused"}
                )
                assert refused == 1
            path.write_text(TOOL % ("fourth", "a"))
            await until(lambda: description(made) == "fourth")
            await until(lambda: follower.conditions == {} or not said)


async def test_a_deleted_tool_stays_and_a_metric_tells() -> None:
    async with followed_agent() as (made, follower, numbers):
        labels = {"agent": "helper", "tool": "search"}
        follower.take(Change(documents(TOOL % ("second", "a"))))
        assert numbers.get_sample_value("agent_tool_accepted", labels) == 1
        follower.take(Change([], gone=frozenset({"search"})))
        assert description(made) == "second"
        assert follower.conditions == {"search": "the Tool was deleted"}
        assert numbers.get_sample_value("agent_tool_accepted", labels) == 0
        follower.take(Change(documents(TOOL % ("again", "a"))))
        assert (description(made), follower.conditions) == ("again", {})


async def test_a_run_keeps_the_versions_that_it_began_with() -> None:
    async with followed_agent() as (made, follower, _):
        old = await made.of_run("run-1")
        follower.take(Change(documents(TOOL % ("second", "b"))))
        new = await made.of_run("run-2")
        assert (await made.of_run("run-1")) is old
        assert old.find("search").tool.description == "first"
        assert new.find("search").tool.description == "second"
        assert old.find("think") is new.find("think"), "what did not change is the same tool"
        pins = old.pins
        await made.release("run-1")
        back = await made.of_run("run-1", pins)
        assert back.find("search").tool.description == "first"
        assert back.pins == pins


async def test_pins_that_nobody_has_any_more_fall_back_to_the_newest() -> None:
    async with followed_agent() as (made, _, _):
        found = await made.of_run("run-1", {"search": "0123456789abcdef", "gone": "x"})
        assert found.find("search").tool.description == "first"


async def test_functions_of_a_server_appear_and_a_dead_server_delays_nobody_twice() -> None:
    text = """
apiVersion: kagent.dev/v1alpha1
kind: Tool
metadata: {name: notes}
spec: {type: mcp, config: {endpoint: "%s", functions: [add_note]}}
"""
    from agents.tool import named

    with notes_server() as notes:
        (document,) = documents(text % notes.url)
        async with registry(named("notes", document.spec)) as made:
            assert made.functions == []
            found = await made.of_run("run-1")
            assert [each["function"]["name"] for each in found.functions] == ["notes_add_note"]
    async with registry(named("notes", document.spec)) as made:
        assert (await made.of_run("run-1")).functions == []
        assert (await made.of_run("run-2")).functions == []
