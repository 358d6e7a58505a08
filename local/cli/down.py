"""`make down`: stop the platform and leave nothing of it running or listening."""

import argparse
import json
import sys

from local import removal
from local.cli import platform
from local.paths import State
from local.report import UserError

EPHEMERAL = ("run", "pods", "kubeconfig")
STATE = ("etcd", "pulumi", "volumes", "pki", "log", "secrets")


def run(arguments: argparse.Namespace) -> int:
    """Stop and remove what would be stale; data and secrets only with `--delete-state`."""
    state = State.default()
    stopped = platform.stop(state)
    remove(state, everything=arguments.delete_state)
    report = {
        "stopped": stopped,
        "state": str(state.root),
        "state_deleted": bool(arguments.delete_state),
    }
    if arguments.json:
        print(json.dumps(report))
    else:
        done = "stopped" if stopped else "nothing was running"
        rest = "; state deleted" if arguments.delete_state else "; data kept for the next `make up`"
        sys.stdout.write(f"{done}{rest}\n")
    return 0


def remove(state: State, *, everything: bool) -> None:
    """Remove the files of a stopped platform; raises UserError naming what could not go."""
    names = EPHEMERAL + (STATE if everything else ())
    left = [line for name in names for line in removal.remove(state.root / name)]
    if left:
        raise UserError(*left)
