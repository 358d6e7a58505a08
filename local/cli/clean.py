"""`make clean`: down, and nothing stays: state, environment, built tools, models."""

import argparse
import json
import sys

from local.cli import down, platform
from local.paths import CHECKOUT, Cache, State
from local.removal import remove
from local.report import UserError

CACHES = ("bin", "downloads", "models", "uv", "go", "log")


def run(arguments: argparse.Namespace) -> int:
    """Remove this checkout's state and the caches; another checkout's platform is not touched."""
    state, cache = State.default(), Cache.default()
    platform.stop(state)
    down.remove(state, everything=True)
    # a running platform of another checkout keeps its open binaries; it needs no files
    folders = [state.root, *(cache.root / name for name in CACHES)]
    removed = [str(folder) for folder in folders if folder.exists()]
    if left := [line for folder in folders for line in remove(folder)]:
        raise UserError(*left)
    environment = CHECKOUT / ".venv"
    removed.append(str(environment))
    text = (
        json.dumps({"removed": removed})
        if arguments.json
        else "removed:\n  " + "\n  ".join(removed)
    )
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
    # last: this very program runs from it
    remove(environment)
    return 0
