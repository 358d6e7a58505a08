"""Envoy's rate limit service; its settings are the environment variables of its own image."""

import os

from local.paths import Cache
from local.toolchain import LIMIT_TOOLS, cached
from local.workloads.serving import entry


def main() -> None:
    """Become the program that `make up` put into the cache."""
    program = cached(LIMIT_TOOLS, Cache.default())["ratelimit"]
    os.execv(program, ["ratelimit"])  # noqa: S606 - the process becomes the service


if __name__ == "__main__":
    entry(main)
