"""The kubernetes stand-in as the engine starts it."""

import sys

from local.standin.light import messages_alone


def main() -> int:
    """Serve until the engine is gone; returns the exit code."""
    messages_alone()
    from local.standin.kubernetes.service import register
    from local.standin.server import serve

    return serve(register)


if __name__ == "__main__":
    sys.exit(main())
