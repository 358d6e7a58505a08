"""`make down`: stop the platform and leave nothing of it running or listening."""

import argparse
import json
import shutil
import sys

from local.cli import platform
from local.paths import State

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
    """Remove the files of a stopped platform."""
    for name in EPHEMERAL + (STATE if everything else ()):
        path = state.root / name
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
