"""Figures of the scaling path: one run of the slow suite's story, its times printed.

Fixed waits in Karpenter and the autoscaler decide them, hardly the machine: no bound is set.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.scaling.run import told


def main() -> int:
    """Print the figures of one run; about three minutes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        try:
            with told(Path(folder)) as story:
                figures = dict(story.figures)
        except PermissionError as error:
            sys.exit(str(error))
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:44} {value:8.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
