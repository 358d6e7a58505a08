"""`python -m tools.render_charts --stack prod --base main`: what a change does to charts' objects.

Exit code 1 when a chart could not be rendered, 2 when the comparison could not be made.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from local.paths import CHECKOUT, Cache
from local.report import Progress, UserError
from local.toolchain import CHART_TOOLS, ensure
from tools.render_charts.comparison import ChartDiff, compare
from tools.render_charts.helm import Helm
from tools.render_charts.release import checkout_of, previewed
from tools.render_charts.report import json_text, markdown, text


def main(argv: Sequence[str] | None = None) -> int:
    """Preview both sides, render what differs, print."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.render_charts", description="Diff of rendered charts, for a reviewer."
    )
    parser.add_argument("--stack", required=True, help="dev, prod or your own")
    parser.add_argument("--base", default="main", help="commit to compare with (default: main)")
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    parser.add_argument("--markdown", metavar="FILE", help="also write it for a job's page")
    arguments = parser.parse_args(argv)
    progress = Progress(as_json=arguments.json)
    try:
        with progress:
            diffs = _diffs(arguments.stack, arguments.base, progress)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    write = json_text if arguments.json else text
    sys.stdout.write(write(arguments.stack, arguments.base, diffs) + "\n")
    if arguments.markdown:
        page = markdown(arguments.stack, arguments.base, diffs)
        Path(arguments.markdown).write_text(page, encoding="utf-8")
    return 1 if any(it.error for it in diffs) else 0


def _diffs(stack: str, base: str, progress: Progress) -> list[ChartDiff]:
    tools = ensure(("pulumi", *CHART_TOOLS), Cache.default(), progress)
    with checkout_of(base) as there:
        before = previewed(stack, there, tools, progress)
    after = previewed(stack, CHECKOUT, tools, progress)
    if not before and not after:
        raise UserError(
            f"stack '{stack}': no Pulumi.{stack}.yaml on either side, or no charts in it"
        )
    with (
        tempfile.TemporaryDirectory(prefix="helm-") as folder,
        progress.step("charts that differ") as step,
    ):
        diffs = compare(before, after, Helm(tools["helm"], Path(folder)).render)
        step.outcome = f"{sum(not it.same for it in diffs)} of {len(diffs)}"
    return diffs


if __name__ == "__main__":
    sys.exit(main())
