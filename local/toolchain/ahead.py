"""`python -m local.toolchain.ahead`: the platform's tools, begun while another thing is waited for.

Runs on a bare Python before there is an environment. It may be ended at any moment: what is
downloaded and compiled by then stays in Go's caches, and whoever needs the tools makes the rest and
says what fails.
"""

import signal
import sys

from local.paths import Cache
from local.report import Progress, UserError
from local.toolchain.pins import PLATFORM_TOOLS
from local.toolchain.provision import ensure


def _end(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Exit code 0 when everything is made."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        ensure(PLATFORM_TOOLS, Cache.default(), Progress(as_json=True))
    except (UserError, KeyboardInterrupt) as reason:
        sys.stderr.write(f"{reason}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
