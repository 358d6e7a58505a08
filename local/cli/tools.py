"""`python -m local tools`: what a tier runs, found on PATH, in the cache, or built."""

import argparse
import json

from local.paths import Cache
from local.report import Progress
from local.toolchain import (
    CHART_TOOLS,
    GATEWAY_TOOLS,
    LIMIT_TOOLS,
    PLATFORM_TOOLS,
    SCALING_TOOLS,
    ensure,
)


def run(arguments: argparse.Namespace) -> int:
    """Make sure of each tool; `--json` prints where it is."""
    names: tuple[str, ...] = PLATFORM_TOOLS + LIMIT_TOOLS
    names += SCALING_TOOLS if arguments.scaling else ()
    names += GATEWAY_TOOLS if arguments.gateway else ()
    names += CHART_TOOLS if arguments.charts else ()
    progress = Progress(as_json=arguments.json)
    with progress:
        found = ensure(names, Cache.default(), progress)
    if arguments.json:
        print(json.dumps({name: str(path) for name, path in found.items()}))
    return 0
