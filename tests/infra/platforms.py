"""What the program registers for each stack, recorded once a process against the mock monitor."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from infra import stack
from infra.config import kind_of, parse
from infra.contract import OUTPUT
from infra.reference import READ
from local.secrets import ensure
from tests.harness.cloud import CALLER, cloud_outputs
from tests.harness.recording import Recording, record
from tests.infra.stack_data import auto_mode_data, platform_data, stack_file

AUTO_MODE = "prod-auto-mode"
BROUGHT = "prod-brought"
STACKS = ("dev", "prod", AUTO_MODE, "local", "tenant-a")
FOUNDATION, ON_FOUNDATION = SPLIT = ("prod-foundation", "prod-platform")
"""Prod as two stacks, the examples of docs/examples/split."""
CHART_MIRROR = "oci://harbor.corp/charts"
IMAGE_MIRROR = "harbor.corp/images"
MANIFEST_MIRROR = "https://files.corp/manifests"
EXISTING_KEY = "arn:aws:kms:us-west-2:111122223333:key/0a1b2c3d"
EXISTING_NETWORK: dict[str, Any] = {
    "vpcId": "vpc-0123456789abcdef0",
    "cidr": "10.10.0.0/16",
    "privateSubnets": {
        "us-west-2a": "subnet-0123456789abcdef0",
        "us-west-2b": "subnet-0123456789abcdef1",
    },
    "publicSubnets": {},
}


def brought_data() -> dict[str, Any]:
    """Prod in a VPC, with keys and behind mirrors that are there already, on Cilium."""
    found = platform_data("prod") | {
        "existingNetwork": EXISTING_NETWORK,
        "network": None,
        "chartMirror": CHART_MIRROR,
        "imageMirror": IMAGE_MIRROR,
        "manifestMirror": MANIFEST_MIRROR,
    }
    found["encryption"]["existingKeys"] = {"cluster": EXISTING_KEY, "storage": EXISTING_KEY}
    found["cluster"]["eks"]["cni"] = "cilium"
    return found


def stack_name(name: str) -> str:
    """The Pulumi stack behind a platform."""
    return "prod" if name in (AUTO_MODE, BROUGHT) else name


def data_of(name: str) -> dict[str, Any]:
    """What the stack's file holds."""
    made = {AUTO_MODE: auto_mode_data, BROUGHT: brought_data}
    return made[name]() if name in made else platform_data(name)


@contextmanager
def state_folder() -> Iterator[None]:
    """A state folder with generated secrets, for stacks that read them from files."""
    before = os.environ.get("AGENTIC_STATE_DIR")
    with tempfile.TemporaryDirectory(prefix="platform-") as folder:
        ensure(Path(folder) / "secrets")
        os.environ["AGENTIC_STATE_DIR"] = folder
        try:
            yield
        finally:
            os.environ.pop("AGENTIC_STATE_DIR")
            if before is not None:
                os.environ["AGENTIC_STATE_DIR"] = before


@cache
def built(name: str) -> Recording:
    """Everything that a stack registers: one with a file, prod in EKS Auto Mode, or prod on what
    is there already."""
    data, region = data_of(name), stack_file(stack_name(name)).get("aws:region")
    answers = CALLER | (contract_of(FOUNDATION) if name == ON_FOUNDATION else {})
    with state_folder():
        config = parse(data, kind_of(data), region=region)
        return record(lambda: stack.build(config, region), answers=answers, outputs=cloud_outputs)


def contract_of(name: str) -> dict[str, Any]:
    """What the engine answers a program that reads that stack."""
    return {READ: {"outputs": {OUTPUT: built(name).values[OUTPUT]}}}
