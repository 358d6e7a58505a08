"""`make preview STACK=…`: what a stack would make, checked without cloud or credentials."""

import argparse
from pathlib import Path

from local.cli.deployment import stack_file
from local.paths import Cache
from local.preview import preview
from local.report import Progress
from local.toolchain import PLATFORM_TOOLS, ensure


def run(arguments: argparse.Namespace) -> int:
    """Print the preview; the exit code is 1 when the engine or the API server refused something."""
    cache = Cache.default()
    file = stack_file(arguments.stack, None)
    progress = Progress(as_json=arguments.json)
    with progress:
        tools = ensure(PLATFORM_TOOLS, cache, progress)
        outcome = preview(arguments.stack, file, tools, cache, progress)
    print(outcome.json_text() if arguments.json else outcome.text())
    if arguments.markdown:
        Path(arguments.markdown).write_text(outcome.markdown())
    return 0 if outcome.ok else 1
