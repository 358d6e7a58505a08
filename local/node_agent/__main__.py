"""`python -m local.node_agent`: run the node agent in the foreground until SIGTERM."""

import argparse
import asyncio
import fcntl
import ipaddress
import logging
import os
import sys
from pathlib import Path
from typing import IO

from local.node_agent.agent import Agent, Settings
from local.node_agent.host_view import host_view
from local.node_agent.launch import Machine
from local.node_agent.sandbox import find_bwrap, image_environment, tool_folders
from local.paths import Cache, State
from local.report import UserError


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.node_agent", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True, help="folder of this platform")
    parser.add_argument("--node-ip", required=True, help="a loopback address of this node alone")
    parser.add_argument("--service-cidr", required=True, help="ClusterIPs, inside 127.0.0.0/8")
    parser.add_argument("--pod-cidr", required=True, help="Pod IPs, inside 127.0.0.0/8")
    parser.add_argument("--name", default="local", help="the Node's name")
    parser.add_argument(
        "--backoff-seconds", type=float, default=10.0, help="first delay of a crash loop"
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    arguments = parse(argv)
    logging.basicConfig(
        level=os.environ.get("AGENTIC_LOG_LEVEL", "INFO"),
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        _check_addresses(arguments)
        state = State(arguments.state.absolute())
        state.make()
        with _only_one(state):
            return _run(arguments, state)
    except UserError as error:
        for line in error.lines:
            print(f"node agent: {line}", file=sys.stderr)
        return 2


def _run(arguments: argparse.Namespace, state: State) -> int:
    cache = Cache.default()
    machine = Machine(
        bwrap=find_bwrap(),
        view=host_view(state=state.root, cache=cache.root),
        environment=image_environment(tool_folders(cache.bin)),
        cache=cache.root,
    )
    settings = Settings(
        name=arguments.name,
        node_ip=arguments.node_ip,
        pod_cidr=arguments.pod_cidr,
        state=state,
        kubeconfig=arguments.kubeconfig,
        backoff_seconds=arguments.backoff_seconds,
    )

    async def serve() -> bool:
        return await Agent(settings, machine).run()

    return 0 if asyncio.run(serve()) else 1


def _check_addresses(arguments: argparse.Namespace) -> None:
    """Raises UserError naming every address that is not a loopback one."""
    wrong: list[str] = []
    for option in ("node_ip", "service_cidr", "pod_cidr"):
        text = getattr(arguments, option)
        try:
            loopback = ipaddress.IPv4Network(text).is_loopback
        except ValueError:
            loopback = False
        if not loopback:
            name = option.replace("_", "-")
            wrong.append(f"--{name} {text!r} must lie inside 127.0.0.0/8, such as 127.64.0.1")
    if wrong:
        raise UserError(*wrong)


def _only_one(state: State) -> IO[str]:
    """Hold the state folder's lock; raises UserError when another agent does."""
    lock = (state.run / "node-agent.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise UserError(
            f"another node agent runs for {state.root}: stop it with `make down`"
        ) from error
    return lock


if __name__ == "__main__":
    sys.exit(main())
