"""One command of the local platform's command line, and how its failures are told."""

import errno
import os
import sys
import traceback

from local.cli.arguments import parse
from local.paths import State
from local.report import UserError

MACHINE_ERRORS = {
    errno.ENOSPC: "free some space there (`make clean` removes caches) and run it again",
    errno.EDQUOT: "free some of your quota there and run it again",
    errno.EACCES: "make it writable, or name another folder in AGENTIC_STATE_DIR",
    errno.EPERM: "make it writable, or name another folder in AGENTIC_STATE_DIR",
    errno.EROFS: "name a writable folder in AGENTIC_STATE_DIR",
    errno.ENOTDIR: "name a folder in AGENTIC_STATE_DIR",
}
"""What a machine lacks, and the way out; anything else unforeseen is a defect."""


def main() -> int:
    """Run one command; a user's mistake is a line, an unforeseen error a line and a log file."""
    arguments = parse(sys.argv[1:])
    try:
        return int(arguments.command(arguments) or 0)
    except UserError as mistake:
        return _say(mistake)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; what this command had begun is stopped. Run it again.\n")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:  # noqa: BLE001 - the last resort: no user meets a traceback
        return _unforeseen(error)


def _say(mistake: UserError) -> int:
    for line in str(mistake).splitlines():
        sys.stderr.write(f"error: {line.strip()}\n")
    return 2


def _unforeseen(error: Exception) -> int:
    from local.api_transport import ApiUnreachable

    if isinstance(error, ApiUnreachable):
        sys.stderr.write(f"error: {error}; it heals with `make up`, see `make status`\n")
        return 1
    if isinstance(error, OSError) and error.errno in MACHINE_ERRORS:
        place = error.filename or State.default().root
        return _say(UserError(f"{place}: {error.strerror}; {MACHINE_ERRORS[error.errno]}"))
    log = State.default().log / "crash.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("".join(traceback.format_exception(error)))
    first = (str(error).splitlines() or ["-"])[0]
    sys.stderr.write(f"error: {type(error).__name__}: {first}\n")
    sys.stderr.write(f"error: this is a defect of the platform; its trace is in {log}\n")
    return 1
