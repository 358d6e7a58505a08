"""`eval "$(make -s env)"`: the plain pulumi and kubectl, pointed at this platform."""

import argparse
import shlex
import sys

from local.cli.deployment import engine
from local.paths import Cache, State


def run(_: argparse.Namespace) -> int:
    """Print `export` lines; PATH is extended, not replaced."""
    state = State.default()
    for name, value in sorted(engine(state, Cache.default()).environment().items()):
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
    sys.stdout.write(f"export KUBECONFIG={shlex.quote(str(state.kubeconfig))}\n")
    return 0
