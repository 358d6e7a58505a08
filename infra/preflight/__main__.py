"""`python -m infra.preflight --stack prod`: exit 1 when `up` would fail on something, 2 when
nothing could be asked."""

import argparse
import sys
from collections.abc import Sequence

from infra.aws_session import AwsSession, AwsSessionError
from infra.preflight.questions import ask
from infra.preflight.report import json_text, text
from infra.stack_file import StackFileError, read_stack


def main(argv: Sequence[str] | None = None) -> int:
    """Ask, print, and say by the exit code whether `up` has a chance."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.preflight", description="Ask AWS, read-only, what up needs of it."
    )
    parser.add_argument("--stack", required=True, help="dev, prod or your own")
    parser.add_argument("--profile", help="a profile of the AWS CLI (default: as the CLI)")
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    arguments = parser.parse_args(argv)
    try:
        stack = read_stack(arguments.stack)
        if stack is None:
            findings = []
        else:
            findings = ask(stack, AwsSession(region=stack.region, profile=arguments.profile))
    except (StackFileError, AwsSessionError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if arguments.json:
        sys.stdout.write(json_text(arguments.stack, findings) + "\n")
    elif not findings:
        sys.stdout.write(f"stack {arguments.stack} has nothing on AWS: nothing to ask\n")
    else:
        sys.stdout.write(text(arguments.stack, findings) + "\n")
    return 1 if any(it.status == "failed" for it in findings) else 0


if __name__ == "__main__":
    sys.exit(main())
