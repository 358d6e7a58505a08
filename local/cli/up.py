"""`make up`: from whatever is there to a running platform that has answered a question."""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from local.cli import crash_loops, failed_jobs, health, platform
from local.cli.addresses import addresses
from local.cli.deployment import can_begin_early, deploy, ready_engine, stack_file
from local.cli.gateway_port import require_port
from local.cli.preparation import Prepared, prepare
from local.crds import load as load_crds
from local.engine import Engine, EngineResult
from local.kube import KubeClient
from local.paths import Cache, State
from local.report import Progress, UserError
from local.toolchain import PLATFORM_TOOLS, disk, ensure

QUESTION = "How do I restart the Nordlys Home?"
GATEWAY = "ai-gateway/ai-gateway"
STATE_MIB = 300
"""etcd takes 128 MiB of it at once for its log of changes."""
STATE_ELSEWHERE = "name another folder in AGENTIC_STATE_DIR"


def run(arguments: argparse.Namespace) -> int:
    """Start, deploy, wait, ask; each step is shown, and a failing one says how to go on."""
    state, cache = State.default(), Cache.default()
    began = time.monotonic()
    file = stack_file(arguments.stack, arguments.config_file)
    progress = Progress(as_json=arguments.json)
    with progress:
        tools = ensure(PLATFORM_TOOLS, cache, progress)
        result = _start_and_deploy(
            arguments.stack, file, Surroundings(state, cache, tools, progress)
        )
        client = KubeClient.from_kubeconfig(state.kubeconfig)
        rows = _await_workloads(state, client, progress)
        for problem in health.await_listening(state, GATEWAY):
            progress.notice(problem)
        places = addresses(state, client)
        answer = None if arguments.no_question else _ask(state, places["gateway"], progress)
    seconds = time.monotonic() - began
    if arguments.json:
        print(json.dumps(_report(rows, places, answer, seconds, result)))
    else:
        _show(rows, places, answer, seconds, state)
    return 0


@dataclass(frozen=True)
class Surroundings:
    """What every step of a start works with."""

    state: State
    cache: Cache
    tools: Mapping[str, Path]
    progress: Progress


def _start_and_deploy(stack: str, file: Path, at: Surroundings) -> EngineResult:
    running = platform.find(at.state)
    fresh = running is None or running.phase != "running"
    try:
        if fresh:
            platform.stop(at.state)
            disk.require_free({at.state.root: STATE_MIB}, "the platform's state", STATE_ELSEWHERE)
            at.state.make()
        prepared = prepare(file, at.state, at.cache, at.progress)
        result = (_deploy_fresh if fresh else _deploy)(stack, prepared, at)
        with KubeClient.from_kubeconfig(at.state.kubeconfig) as client:
            for name in failed_jobs.renew(client, health.PART_OF):
                at.progress.notice(f"Job {name} had failed and is made anew")
            for name in crash_loops.restart(client):
                at.progress.notice(f"Pod {name} had crashed again and again and is made anew")
    except KeyboardInterrupt:
        # an interrupted start must not leave a platform that nobody asked for
        if fresh:
            platform.stop(at.state)
        raise
    for notice in result.notices:
        at.progress.notice(notice)
    return result


def _deploy_fresh(stack: str, prepared: Prepared, at: Surroundings) -> EngineResult:
    """Start the control plane; the engine begins meanwhile, and deploys before all of it is up."""
    process = platform.start(at.state)
    with ThreadPoolExecutor(1) as aside:
        serving = aside.submit(_control_plane, process, at)
        try:
            driver = ready_engine(at.state, at.tools, stack, prepared.file)
            # from here on its addresses are known and its kubeconfig is written
            platform.await_phase(at.state, process, "starting", "serving", "running")
            early = can_begin_early(driver) and not prepared.definitions
            if not early:
                serving.result()
            result = _deploy(stack, prepared, at, driver, starter=process.pid if early else None)
        except UserError:
            # a part that could not start takes the API server along, which is all Pulumi sees
            serving.result()
            platform.require_alive(at.state, process)
            raise
        except BaseException:
            # without a control plane the other thread stops waiting for it
            platform.end(process.pid)
            raise
    try:
        platform.await_phase(at.state, process, "running")
    except UserError:
        platform.end(process.pid)
        raise
    return result


def _control_plane(process: "subprocess.Popen[bytes]", at: Surroundings) -> None:
    """Wait until the API server answers; what started is ended when it does not."""
    try:
        with at.progress.step("control plane") as step:
            running = platform.await_phase(at.state, process, "serving", "running")
            step.outcome = f"etcd, API server, controllers, node on {running.node_ip}"
    except UserError:
        platform.end(process.pid)
        raise


def _deploy(
    stack: str,
    prepared: Prepared,
    at: Surroundings,
    driver: Engine | None = None,
    *,
    starter: int | None = None,
) -> EngineResult:
    if starter is None:
        platform.await_api(at.state)
    require_port(at.state, prepared.gateway_port)
    if prepared.definitions:
        with at.progress.step("custom resource definitions") as step:
            loaded = load_crds(
                at.state.kubeconfig, prepared.definitions, cache=at.cache, progress=at.progress
            )
            step.outcome = f"{len(loaded)} kinds"
    driver = driver or ready_engine(at.state, at.tools, stack, prepared.file)
    return deploy(driver, stack, at.progress, starter=starter)


def _await_workloads(state: State, client: KubeClient, progress: Progress) -> list[health.Row]:
    with progress.step("workloads") as step:
        rows = health.await_ready(
            lambda: health.workload_rows(client, {}),
            lambda text: progress.detail(step, text),
            lambda: health.problems_of(state, GATEWAY),
        )
        step.outcome = f"{len(rows)} ready"
    rows = health.workload_rows(client, health.pod_memory(state))
    running = platform.find(state)
    return (health.control_plane_rows(running) if running else []) + rows


def _ask(state: State, gateway: str, progress: Progress) -> Any:
    from local.conversation import ask

    key = (state.secrets / "gateway-api-key-demo").read_text().strip()
    with progress.step("a question through the gateway") as step:
        answer = ask(gateway, key, QUESTION)
        step.outcome = f"{answer.seconds:.1f} s"
    return answer


def _report(
    rows: list[health.Row],
    places: dict[str, str],
    answer: Any,
    seconds: float,
    result: EngineResult,
) -> dict[str, Any]:
    report: dict[str, Any] = {"ready": True, "seconds": round(seconds, 1), "addresses": places}
    report["components"] = health.as_json(rows)
    report["changes"] = {name: count for name, count in result.changes.items() if name != "same"}
    if answer is not None:
        report["conversation"] = answer.as_json()
    return report


def _show(
    rows: list[health.Row], places: dict[str, str], answer: Any, seconds: float, state: State
) -> None:
    console = Console(highlight=False)
    console.print()
    console.print(health.table(rows))
    if answer is not None:
        console.print()
        answer.show(console, QUESTION)
    console.print()
    for name, address in places.items():
        console.print(f"{name:>12}  {address}", markup=False)
    console.print(
        f"{'API key':>12}  {state.secrets / 'gateway-api-key-demo'} (tenant demo)", markup=False
    )
    trace = answer.trace_id if answer is not None else "TRACE_ID"
    console.print("\nTry next:", style="bold")
    for line in (
        'make ask Q="My battery shows a blinking red light. Please open a ticket."',
        f"make trace ID={trace}",
        'eval "$(make -s env)" && kubectl get pods -A && pulumi preview --stack local',
    ):
        console.print(f"  {line}", markup=False)
    sys.stdout.write(f"\nready in {seconds:.1f} s; stop it with `make down`\n")
