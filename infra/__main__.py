"""What `pulumi up` runs: read the stack file, build what it says, export the outputs."""

from datetime import UTC, datetime

import pulumi

from infra import config, stack
from infra.support import warn_of_support

settings, region = config.load()
warn_of_support(settings, today=datetime.now(UTC).date())
for name, value in stack.build(settings, region).items():
    pulumi.export(name, value)
