"""The recording stand-in as the engine starts it: one provider for several packages."""

import sys

from local.standin.light import messages_alone


def main(package: str) -> int:
    """Serve `package` (aws, eks, docker-build) until the engine is gone; returns the exit code."""
    messages_alone()
    from local.standin.recording.service import register
    from local.standin.server import serve

    return serve(lambda server, log: register(server, log, package))


if __name__ == "__main__":
    sys.exit(main("aws"))
