"""Generated pages and schemas: fresh, or written again with `--write`.

Each generator is a script in this folder that takes `--check`: exit code 1 when what it would
write differs from what is committed.
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Run every generator; the exit code is 1 when one of them found a stale file."""
    write = "--write" in sys.argv[1:]
    failed = 0
    for script in sorted(HERE.glob("generate_*.py")):
        command = [sys.executable, str(script)] + ([] if write else ["--check"])
        if subprocess.call(command, cwd=HERE.parent) != 0:
            print(f"stale: run `make docs` ({script.name})")
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
