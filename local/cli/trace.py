"""`make trace ID=…`: the fifteen steps of one request, each with the evidence that was found."""

import argparse
import json

from rich.console import Console

from local.cli import platform
from local.cli.addresses import addresses
from local.conversation import follow, steps_table
from local.kube import KubeClient
from local.paths import State
from local.report import UserError


def run(arguments: argparse.Namespace) -> int:
    """Print the steps; the exit code is 1 when evidence of one is missing."""
    state = State.default()
    if platform.find(state) is None:
        raise UserError("nothing is running; start it with `make up`")
    places = addresses(state, KubeClient.from_kubeconfig(state.kubeconfig))
    steps = follow(arguments.trace_id, state, traces_url=places["traces"])
    if arguments.json:
        print(json.dumps([step.as_json() for step in steps]))
    else:
        Console(highlight=False).print(steps_table(steps))
    return 0 if all(step.found for step in steps) else 1
