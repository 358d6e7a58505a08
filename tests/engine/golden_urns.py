"""The URN of every resource that a stack registers, and the files that keep them.

    python -m tests.engine.golden_urns --write

A URN holds all parents' types: a resource that is renamed or moved without an alias gets another
one, and with it a replacement. The diff of a golden file is what a reviewer looks at.
"""

import argparse
from pathlib import Path

from tests.harness.recording import ROOT, STACK
from tests.infra.platforms import SPLIT, STACKS, built, stack_name

FOLDER = Path(__file__).with_name("golden")


def golden(name: str) -> list[str]:
    """The kept URNs; none where nobody wrote them yet."""
    file = FOLDER / f"{name}.txt"
    return file.read_text("utf-8").splitlines() if file.is_file() else []


def registered(name: str) -> list[str]:
    """The URNs that the program registers for that stack, sorted."""
    recorded, named = f"urn:pulumi:{STACK}::", f"urn:pulumi:{stack_name(name)}::"
    urns = [urn.replace(recorded, named, 1) for urn in built(name).urns]
    return sorted(urn for urn in urns if f"::{ROOT}::" not in urn)


def main() -> None:
    """Write the files anew, or say which of them differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the files")
    arguments = parser.parse_args()
    for name in (*STACKS, *SPLIT):
        urns = registered(name)
        same = urns == golden(name)
        if arguments.write and not same:
            FOLDER.mkdir(exist_ok=True)
            (FOLDER / f"{name}.txt").write_text("\n".join(urns) + "\n", encoding="utf-8")
        verdict = "same" if same else "written" if arguments.write else "DIFFERS"
        print(f"{name}: {len(urns)} resources, {verdict}")  # noqa: T201 - a command line


if __name__ == "__main__":
    main()
