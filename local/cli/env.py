"""`eval "$(make -s env)"`: the plain pulumi and kubectl, pointed at this platform."""

import argparse
import shlex
import sys

from local.cli.deployment import TOOLS, engine
from local.paths import Cache, State
from local.toolchain import cached


def run(_: argparse.Namespace) -> int:
    """Print `export` lines; PATH is extended, not replaced."""
    state = State.default()
    tools = cached(TOOLS, Cache.default())
    for name, value in sorted(engine(state, tools).environment().items()):
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
    sys.stdout.write(f"export KUBECONFIG={shlex.quote(str(state.kubeconfig))}\n")
    return 0
