"""`make logs NAME=…`: the log of a component or Pod."""

import argparse
import subprocess
import sys
from pathlib import Path

from local.paths import State
from local.report import UserError


def run(arguments: argparse.Namespace) -> int:
    """Print the last lines of the matching log, or the list of logs."""
    folder = State.default().log
    logs = sorted(path for path in folder.rglob("*.log") if path.is_file())
    if not logs:
        raise UserError(f"no logs in {folder}: run `make up` first")
    if not arguments.name:
        for path in logs:
            sys.stdout.write(f"{path.relative_to(folder).with_suffix('')}\n")
        return 0
    log = choose(logs, arguments.name, folder)
    follow = ["-f"] if arguments.follow else []
    return subprocess.call(["tail", "-n", str(arguments.lines), *follow, str(log)])


def choose(logs: list[Path], name: str, folder: Path) -> Path:
    """The one log whose name holds `name`, or is it; raises UserError with the candidates."""
    names = {str(path.relative_to(folder).with_suffix("")): path for path in logs}
    exact = [path for text, path in names.items() if name in (text, text.split("/")[-1])]
    found = exact or [path for text, path in names.items() if name in text]
    if len(found) == 1:
        return found[0]
    shown = ", ".join(str(path.relative_to(folder).with_suffix("")) for path in found or logs)
    problem = "fits several logs" if found else "fits no log"
    raise UserError(f"{name!r} {problem}; name one of: {shown}")
