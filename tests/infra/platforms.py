"""What the program registers for each stack, recorded once a session against the mock monitor."""

from functools import cache
from typing import Any

from infra import stack
from infra.config import PlatformConfig, parse
from tests.engine.golden_urns import state_folder
from tests.harness.cloud import CALLER, cloud_outputs
from tests.harness.recording import Recording, record
from tests.infra.stack_data import auto_mode_data, platform_data, stack_file

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


@cache
def built(name: str) -> Recording:
    """Everything that a platform stack registers; `auto` is prod in EKS Auto Mode, `brought`
    prod on what is there already."""
    made = {"auto": auto_mode_data, "brought": brought_data}
    region = "us-west-2" if name in made else stack_file(name).get("aws:region")
    data = made[name]() if name in made else platform_data(name)
    config = parse(data, PlatformConfig, region=region)
    with state_folder():
        return record(lambda: stack.build(config, region), answers=CALLER, outputs=cloud_outputs)
