"""The commands and their options; each command's code is imported only when it runs."""

import argparse
import importlib
from collections.abc import Callable, Sequence


def _lazy(module: str) -> Callable[[argparse.Namespace], int | None]:
    def run(arguments: argparse.Namespace) -> int | None:
        command: Callable[[argparse.Namespace], int | None] = importlib.import_module(module).run
        return command(arguments)

    return run


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The parsed command line; `.command` is the function to call with it."""
    parser = argparse.ArgumentParser(
        prog="python -m local", description="The platform on this machine, without cloud or Docker."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, help_text: str, *, as_json: bool = True) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=help_text, description=help_text)
        command.set_defaults(command=_lazy(f"local.cli.{name}"))
        if as_json:
            command.add_argument("--json", action="store_true", help="machine-readable output")
        return command

    up = add("up", "start the platform, deploy the stack, ask it a question")
    up.add_argument("--stack", default="local", help="the stack to deploy (default: local)")
    up.add_argument("--config-file", help="its stack file (default: Pulumi.<stack>.yaml)")
    up.add_argument("--no-question", action="store_true", help="leave out the conversation")
    add("status", "what runs, how well, and where")
    logs = add("logs", "the log of a component or Pod", as_json=False)
    logs.add_argument("name", nargs="?", help="part of a log's name; without it, the list")
    logs.add_argument("-n", "--lines", type=int, default=50, help="last lines (default: 50)")
    logs.add_argument("-f", "--follow", action="store_true", help="go on as the log grows")
    down = add("down", "stop everything: no process, no port, no lock stays")
    down.add_argument("--delete-state", action="store_true", help="also forget data and secrets")
    add("clean", "down, then remove this checkout's state, environment and the caches")
    preview = add("preview", "preview a stack hermetically: no cloud, no credentials")
    preview.add_argument("--stack", required=True, help="dev, prod, local, tenant-a or your own")
    preview.add_argument("--config-file", help="its stack file (default: Pulumi.<stack>.yaml)")
    preview.add_argument("--markdown", metavar="FILE", help="also write a summary for a job page")
    preview.add_argument(
        "--policy",
        action="store_true",
        help="judge every resource by the rules of docs/policies.md",
    )
    preview.add_argument(
        "--policy-config", metavar="FILE", help="JSON with other settings of those rules"
    )
    ask = add("ask", "ask an agent a question through the gateway")
    ask.add_argument("question")
    ask.add_argument("--agent", default="customer-support-agent")
    trace = add("trace", "follow one request through gateway, agent, Milvus, model and trace")
    trace.add_argument("trace_id")
    token = add("token", "mint a JWT that the local gateway accepts", as_json=False)
    token.add_argument("--tenant", default="demo")
    token.add_argument("--minutes", type=int, default=60)
    tools = add("tools", "install or build the tools that are missing")
    tools.add_argument(
        "--scaling", action="store_true", help="also those of the slow tests of the scaling path"
    )
    tools.add_argument(
        "--gateway", action="store_true", help="also those of the slow tests of the gateways"
    )
    tools.add_argument("--charts", action="store_true", help="also what renders Helm charts")
    add("env", "shell lines that point pulumi and kubectl at this platform", as_json=False)
    return parser.parse_args(argv)
