"""`make status`: what runs, how well, and where."""

import argparse
import json

from rich.console import Console

from local.api_transport import ApiError
from local.cli import health, platform
from local.cli.addresses import addresses
from local.kube import KubeClient
from local.paths import State


def run(arguments: argparse.Namespace) -> int:
    """Print the health table; the exit code is 0 only when everything is ready."""
    state = State.default()
    running = platform.find(state)
    if running is None:
        text = {"running": False} if arguments.json else "not running; start it with `make up`"
        print(json.dumps(text) if arguments.json else text)
        return 3
    rows = health.control_plane_rows(running)
    problems: list[str] = []
    places: dict[str, str] = {}
    try:
        client = KubeClient.from_kubeconfig(state.kubeconfig)
        rows += health.workload_rows(client, health.pod_memory(state))
        places = addresses(state, client)
    except ApiError as error:
        problems.append(f"the API server does not answer: {error}")
    problems += health.node_report(state).get("problems", [])
    ready = running.phase == "running" and all(row.ready for row in rows) and not problems
    if arguments.json:
        report = {"running": True, "ready": ready, "phase": running.phase, "problems": problems}
        print(json.dumps(report | {"components": health.as_json(rows), "addresses": places}))
        return 0 if ready else 1
    console = Console(highlight=False)
    console.print(health.table(rows))
    for problem in problems:
        console.print(f"! {problem}", markup=False)
    for name, address in places.items():
        console.print(f"{name:>12}  {address}", markup=False)
    return 0 if ready else 1
