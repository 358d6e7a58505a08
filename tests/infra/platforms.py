"""What the program registers for each stack, recorded once a session against the mock monitor."""

from functools import cache

from infra import stack
from infra.config import PlatformConfig, parse
from tests.harness.cloud import CALLER, cloud_outputs
from tests.harness.recording import Recording, record
from tests.infra.stack_data import auto_mode_data, platform_data, stack_file


@cache
def built(name: str) -> Recording:
    """Everything that a platform stack registers; `auto` is prod in EKS Auto Mode."""
    region = "us-west-2" if name == "auto" else stack_file(name).get("aws:region")
    data = auto_mode_data() if name == "auto" else platform_data(name)
    config = parse(data, PlatformConfig, region=region)
    return record(lambda: stack.build(config, region), answers=CALLER, outputs=cloud_outputs)
