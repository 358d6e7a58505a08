"""`python -m local tools`: the tools of every tier, found on PATH, in the cache, or built."""

import argparse
import json

from local.paths import Cache
from local.report import Progress
from local.toolchain import ALL_TOOLS, ensure


def run(arguments: argparse.Namespace) -> int:
    """Make sure of every tool; `--json` prints where each one is."""
    progress = Progress(as_json=arguments.json)
    with progress:
        found = ensure(ALL_TOOLS, Cache.default(), progress)
    if arguments.json:
        print(json.dumps({name: str(path) for name, path in found.items()}))
    return 0
