"""`make clean`: down, and nothing stays: state, environment, built tools, models."""

import argparse
import json
import shutil
import sys

from local.cli import down, platform
from local.paths import CHECKOUT, Cache, State


def run(arguments: argparse.Namespace) -> int:
    """Remove this checkout's state and the caches; another checkout's platform is not touched."""
    state, cache = State.default(), Cache.default()
    platform.stop(state)
    down.remove(state, everything=True)
    removed = []
    if state.root.exists():
        shutil.rmtree(state.root)
        removed.append(str(state.root))
    for name in ("bin", "downloads", "models", "uv"):
        if (cache.root / name).exists():
            # a running platform of another checkout keeps its open binaries; it needs no files
            shutil.rmtree(cache.root / name)
            removed.append(str(cache.root / name))
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
    shutil.rmtree(environment, ignore_errors=True)
    return 0
