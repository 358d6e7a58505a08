"""The URN of every resource that a stack registers, and the files that keep them.

    python -m tests.engine.golden_urns --write

A URN holds all parents' types: a resource that is renamed or moved without an alias gets another
one, and with it a replacement. The diff of a golden file is what a reviewer looks at.
"""

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pulumi.runtime import mocks

from infra import stack
from infra.config import PROJECT, PlatformConfig, TenantStackConfig, parse
from local.secrets import ensure
from tests.harness.cloud import CALLER, cloud_outputs
from tests.harness.recording import record
from tests.infra.stack_data import auto_mode_data, platform_data, stack_file

FOLDER = Path(__file__).with_name("golden")
ROOT = "pulumi:pulumi:Stack"
AUTO_MODE = "prod-auto-mode"
STACKS = ("dev", "prod", AUTO_MODE, "local", "tenant-a")


def stack_name(name: str) -> str:
    """The Pulumi stack behind a golden file."""
    return name.removesuffix("-auto-mode")


def data_of(name: str) -> dict[str, Any]:
    """What the stack's file holds."""
    return auto_mode_data() if name == AUTO_MODE else platform_data(name)


def golden(name: str) -> list[str]:
    """The kept URNs; none where nobody wrote them yet."""
    file = FOLDER / f"{name}.txt"
    return file.read_text("utf-8").splitlines() if file.is_file() else []


def registered(name: str) -> list[str]:
    """The URNs that the program registers for that stack, sorted."""
    data, region = data_of(name), stack_file(stack_name(name)).get("aws:region")
    with state_folder(), _urns(stack_name(name)) as seen:
        if "tenant" in data:
            tenant = parse(data, TenantStackConfig, region=region)
            record(lambda: stack.build(tenant, region))
        else:
            config = parse(data, PlatformConfig, region=region)
            record(lambda: stack.build(config, region), answers=CALLER, outputs=cloud_outputs)
    return sorted(seen)


@contextmanager
def _urns(stack: str) -> Iterator[list[str]]:
    """Every URN made meanwhile, with the types of all parents as the engine writes them."""
    seen: list[str] = []
    original: Callable[..., str] = mocks.MockMonitor.make_urn

    def make_urn(_self: mocks.MockMonitor, parent: str, type_: str, name: str) -> str:
        above = parent.split("::")[2] if parent else ROOT
        qualified = type_ if above == ROOT else f"{above}${type_}"
        urn = f"urn:pulumi:{stack}::{PROJECT}::{qualified}::{name}"
        if type_ != ROOT:
            seen.append(urn)
        return urn

    mocks.MockMonitor.make_urn = make_urn  # type: ignore[method-assign, assignment]
    try:
        yield seen
    finally:
        mocks.MockMonitor.make_urn = original  # type: ignore[method-assign]


@contextmanager
def state_folder() -> Iterator[None]:
    """A state folder with generated secrets, for stacks that read them from files."""
    before = os.environ.get("AGENTIC_STATE_DIR")
    with tempfile.TemporaryDirectory(prefix="golden-") as folder:
        ensure(Path(folder) / "secrets")
        os.environ["AGENTIC_STATE_DIR"] = folder
        try:
            yield
        finally:
            os.environ.pop("AGENTIC_STATE_DIR")
            if before is not None:
                os.environ["AGENTIC_STATE_DIR"] = before


def main() -> None:
    """Write the files anew, or say which of them differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the files")
    arguments = parser.parse_args()
    for name in STACKS:
        urns = registered(name)
        same = urns == golden(name)
        if arguments.write and not same:
            FOLDER.mkdir(exist_ok=True)
            (FOLDER / f"{name}.txt").write_text("\n".join(urns) + "\n", encoding="utf-8")
        verdict = "same" if same else "written" if arguments.write else "DIFFERS"
        print(f"{name}: {len(urns)} resources, {verdict}")  # noqa: T201 - a command line


if __name__ == "__main__":
    main()
