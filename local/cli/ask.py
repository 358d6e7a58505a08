"""`make ask Q=…`: one question to an agent, through the gateway, as a client would send it."""

import argparse
import json

from rich.console import Console

from local.cli import platform
from local.cli.addresses import addresses
from local.conversation import ask
from local.kube import KubeClient
from local.paths import State
from local.report import UserError


def run(arguments: argparse.Namespace) -> int:
    """Print the answer, its tool calls, sources and trace id."""
    state = State.default()
    if platform.find(state) is None:
        raise UserError("nothing is running; start it with `make up`")
    places = addresses(state, KubeClient.from_kubeconfig(state.kubeconfig))
    key = (state.secrets / "gateway-api-key-demo").read_text().strip()
    answer = ask(places["gateway"], key, arguments.question, agent=arguments.agent)
    if arguments.json:
        print(json.dumps(answer.as_json()))
    else:
        answer.show(Console(highlight=False), arguments.question)
    return 0
