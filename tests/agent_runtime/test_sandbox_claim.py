"""Code that runs in a Sandbox of the node: claimed, used once, given back.

The API server is real. Its SandboxClaim is a schema of ours that knows no more than what is asked
for, or upstream's where SANDBOX_CLAIM_CRD names the file. The agent-sandbox controller and its Pod
are stand-ins: a task that marks claims as ready, and a process of this machine that runs the
command, which isolates nothing.
"""

import asyncio
import os
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from agent_runtime.tools.cluster_access import ClusterAccess
from agent_runtime.tools.policy import taints
from agent_runtime.tools.port import CallContext
from agent_runtime.tools.sandbox_claim import API_VERSION, SandboxClaimCall
from agents.tool import CodeTool
from local.kube import ApiError
from tests.agent_runtime.test_tool_watch import access
from tests.harness.api_server import ApiServer
from tests.harness.http_server import serving

pytestmark = pytest.mark.api_server

NAMESPACE = "sandboxes"
GROUP, VERSION = API_VERSION.split("/")
OPEN = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
TEXT = {"type": "string"}
CLAIM = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["warmPoolRef"],
            "properties": {
                "warmPoolRef": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {"name": TEXT},
                },
                "lifecycle": {
                    "type": "object",
                    "properties": {
                        "shutdownTime": {"type": "string", "format": "date-time"},
                        "shutdownPolicy": {"type": "string", "enum": ["Delete", "Retain"]},
                    },
                },
            },
        },
        "status": OPEN,
    },
}
OWN_CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"sandboxclaims.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"kind": "SandboxClaim", "plural": "sandboxclaims", "singular": "sandboxclaim"},
        "versions": [
            {
                "name": VERSION,
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": CLAIM},
            }
        ],
    },
}
WHO = CallContext(tenant="acme", user="kim", run_id="run-1", call_id="call-1")


@pytest.fixture(scope="module")
def cluster(
    api_server: ApiServer, tmp_path_factory: pytest.TempPathFactory
) -> tuple[ApiServer, ClusterAccess]:
    folder = tmp_path_factory.mktemp("sandbox-claims")
    path = folder / "crd.yaml"
    path.write_text(yaml.safe_dump(OWN_CRD))
    api_server.load_crds(Path(os.environ.get("SANDBOX_CLAIM_CRD", path)))
    api_server.namespace(NAMESPACE)
    return api_server, replace(access(api_server, folder), namespace=NAMESPACE)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The Pod's runtime: runs a command, as upstream's sample runtime does."""

    async def execute(request: Request) -> JSONResponse:
        command, *rest = shlex.split((await request.json())["command"])
        assert command == "python3"
        done = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-I", *rest], capture_output=True, text=True
        )
        told = {"stdout": done.stdout, "stderr": done.stderr, "exit_code": done.returncode}
        return JSONResponse(told)

    with serving(Starlette(routes=[Route("/execute", execute, methods=["POST"])])) as url:
        yield int(url.rpartition(":")[2])


@dataclass
class Controller:
    """Marks each claim as ready, and remembers them."""

    server: ApiServer
    seen: dict[str, dict[str, Any]]

    def claims(self) -> list[dict[str, Any]]:
        return self.server.client.list(API_VERSION, "SandboxClaim", NAMESPACE)

    def _mark(self, name: str, patch: dict[str, Any]) -> None:
        self.server.client.patch(
            API_VERSION, "SandboxClaim", name, patch, NAMESPACE, subresource="status"
        )

    async def work(self) -> None:
        ready = {
            "type": "Ready",
            "status": "True",
            "reason": "DependenciesReady",
            "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
        status = {"conditions": [ready], "sandbox": {"name": "a", "podIPs": ["127.0.0.1"]}}
        while True:
            for each in await asyncio.to_thread(self.claims):
                name = each["metadata"]["name"]
                if name not in self.seen and not each["metadata"].get("deletionTimestamp"):
                    self.seen[name] = each
                    with suppress(ApiError):  # given back meanwhile
                        await asyncio.to_thread(self._mark, name, {"status": status})
            await asyncio.sleep(0.02)


@asynccontextmanager
async def controller(server: ApiServer) -> AsyncIterator[Controller]:
    made = Controller(server, {})
    working = asyncio.create_task(made.work())
    try:
        yield made
    finally:
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working


@asynccontextmanager
async def sandbox(
    cluster: ClusterAccess, port: int, **more: Any
) -> AsyncIterator[SandboxClaimCall]:
    pool = {"warmPool": "python", "port": port, **more.pop("pool", {})}
    document = CodeTool.model_validate(
        {"name": "compute", "type": "code", "config": {"sandbox": pool, "timeout": "60s", **more}}
    )
    assert document.config.sandbox is not None
    made = SandboxClaimCall(document, document.config.sandbox, cluster)
    try:
        yield made
    finally:
        await made.close()


async def test_code_runs_in_a_sandbox_of_its_own_that_is_given_back(
    cluster: tuple[ApiServer, ClusterAccess], port: int
) -> None:
    server, reached = cluster
    code = "import json\nprint(json.dumps({'it\\'s': 6 * 7}))"
    async with controller(server) as playing, sandbox(reached, port) as made:
        first = await made.call({"code": code}, WHO)
        second = await made.call({"code": "raise SystemExit('no')"}, WHO)
    assert first.value == {"printed": '{"it\'s": 42}\n', "errors": "", "exit": 0}
    assert second.error
    assert '"exit": 1' in second.value
    assert taints(made.tool), "what a Pod can read is not known here"
    one, two = playing.seen.values()
    assert one["spec"]["warmPoolRef"] == {"name": "python"}
    assert one["spec"]["lifecycle"]["shutdownPolicy"] == "Delete"
    assert one["metadata"]["annotations"]["agentic.dev/tenant"] == "acme"
    assert one["metadata"]["name"] != two["metadata"]["name"]
    assert playing.claims() == []


async def test_a_call_that_is_cut_off_gives_its_sandbox_back(
    cluster: tuple[ApiServer, ClusterAccess], port: int
) -> None:
    server, reached = cluster
    async with controller(server), sandbox(reached, port, timeout="100ms") as made:
        slow = await made.call({"code": "import time; time.sleep(1)"}, WHO)
        assert (slow.error, slow.value) == (True, "no answer within 100ms")
    async with controller(server) as playing, sandbox(reached, port) as made:
        cut = asyncio.create_task(made.call({"code": "import time; time.sleep(1)"}, WHO))
        async with asyncio.timeout(60):
            while not playing.seen:  # noqa: ASYNC110 # a stand-in of ours, without an event
                await asyncio.sleep(0.02)
        while not cut.done():  # whatever it is just doing to clean up is cut off too
            cut.cancel()
            await asyncio.sleep(0)
        assert cut.cancelled()
    assert playing.claims() == []


async def test_a_pool_without_a_free_sandbox_is_told_and_leaves_no_claim(
    cluster: tuple[ApiServer, ClusterAccess], port: int
) -> None:
    server, reached = cluster
    async with sandbox(reached, port, pool={"wait": "300ms"}) as made:
        none = await made.call({"code": "1"}, WHO)
    assert none.error
    assert none.degraded == "sandbox"
    assert "none was ready" in none.value
    assert Controller(server, {}).claims() == []


async def test_a_cluster_that_cannot_be_asked_is_told_without_its_words(
    cluster: tuple[ApiServer, ClusterAccess], port: int, tmp_path: Path
) -> None:
    _, reached = cluster
    async with sandbox(replace(reached, namespace="missing-namespace"), port) as made:
        nowhere = await made.call({"code": "1"}, WHO)
    assert "no sandbox: " in nowhere.value
    foreign = replace(reached, token=type(reached.token)(tmp_path / "none"))
    async with sandbox(foreign, port) as made:
        unknown = await made.call({"code": "1"}, WHO)
    assert unknown.value == "no sandbox: it can't be asked for"
