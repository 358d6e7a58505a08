"""`python -m local COMMAND`: the local platform's command line."""

import signal
import sys


def start() -> int:
    """Read the modules, during which Ctrl-C has nothing to tidy up, and run the command."""
    heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if heard:
        # as an exception it would come out of some import, with its trace
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from local.cli.main import main

    if heard:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return main()


if __name__ == "__main__":
    sys.exit(start())
