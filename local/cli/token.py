"""`python -m local token`: a JWT for trying the gateway's other way of authentication."""

import argparse
import sys
import time

from local import secrets
from local.paths import State
from local.report import UserError


def run(arguments: argparse.Namespace) -> int:
    """Print the token alone, so that it fits into a shell substitution."""
    folder = State.default().secrets
    if not (folder / secrets.SIGNING_KEY).exists():
        raise UserError(f"no signing key in {folder}: run `make up` first")
    if not 1 <= arguments.minutes <= 1440:
        raise UserError(f"--minutes {arguments.minutes}: give 1 to 1440")
    token = secrets.mint(
        folder,
        tenant=arguments.tenant,
        lifetime_seconds=arguments.minutes * 60,
        now=int(time.time()),
    )
    sys.stdout.write(token + "\n")
    return 0
