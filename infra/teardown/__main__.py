"""`python -m infra.teardown --stack dev`: what a destroyed stack left on AWS.

Exit 0 when nothing is left, 1 when something is, 2 when nobody can say.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from infra.aws_session import AwsSession, AwsSessionError
from infra.stack_file import StackFileError, read_stack
from infra.teardown.deletion import Sweep
from infra.teardown.inventory import InventoryError, cluster_is_there, take_inventory
from infra.teardown.leftover import Leftover
from infra.teardown.report import json_text, left, text
from infra.teardown.scope import Scope, StateError, read_state

IN_USE = (
    "cluster '{cluster}' is still there, and what it uses looks like what it left: nothing is "
    "deleted before `pulumi destroy --run-program`"
)


def main(argv: Sequence[str] | None = None, ask: Callable[[str], str] = input) -> int:
    """Look, print, and with `--delete` take away; returns the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        return _sweep(arguments, ask)
    except (StackFileError, AwsSessionError, StateError, InventoryError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infra.teardown",
        description="Find what a destroyed stack left on AWS; without --delete nothing changes.",
    )
    parser.add_argument("--stack", required=True, help="dev, prod or your own")
    parser.add_argument("--delete", action="store_true", help="delete what is the cluster's own")
    parser.add_argument("--yes", action="store_true", help="do not ask for the stack's name")
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    parser.add_argument("--state", type=Path, help="file of `pulumi stack export` (default: asks)")
    parser.add_argument("--profile", help="a profile of the AWS CLI (default: as the CLI)")
    return parser


def _scope(arguments: argparse.Namespace) -> Scope:
    stack = read_stack(arguments.stack)
    if stack is None or stack.eks is None:
        raise StackFileError(f"stack '{arguments.stack}' makes no EKS cluster: nothing to look for")
    return Scope(
        stack=arguments.stack,
        cluster=stack.eks.name,
        region=stack.region,
        tags=stack.config.resource_tags,
        retain=stack.config.retain_on_delete,
        in_state=read_state(arguments.stack, arguments.state),
    )


def _sweep(arguments: argparse.Namespace, ask: Callable[[str], str]) -> int:
    scope = _scope(arguments)
    session = AwsSession(region=scope.region, profile=arguments.profile)
    caller = session.caller()
    _tell(f"account {caller['Account']}, region {scope.region}, cluster '{scope.cluster}'")
    there = cluster_is_there(session, scope.cluster)
    found = take_inventory(session, scope)
    failed: dict[str, str] = {}
    if there:
        _tell(IN_USE.format(cluster=scope.cluster))
    elif arguments.delete and left(found) and _agreed(arguments, scope, found, ask):
        sweep = Sweep(session, _tell)
        sweep.run(found)
        failed = sweep.failed
        found = take_inventory(session, scope)
    if arguments.json:
        shown = json_text(scope, found, cluster_there=there, failed=failed)
    else:
        shown = text(scope, found)
    sys.stdout.write(shown + "\n")
    return 1 if left(found) else 0


def _agreed(
    arguments: argparse.Namespace,
    scope: Scope,
    found: list[Leftover],
    ask: Callable[[str], str],
) -> bool:
    if arguments.yes:
        return True
    _tell(text(scope, found))
    typed = ask(f"type the stack's name ({scope.stack}) to delete what says 'delete': ")
    if typed.strip() == scope.stack:
        return True
    _tell("that is not its name: nothing was deleted")
    return False


def _tell(line: str) -> None:
    """Progress goes beside the result, so that `--json` can be read by a program."""
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
