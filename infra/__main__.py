"""What `pulumi up` runs: read the stack file, build what it says, export the outputs."""

from datetime import UTC, datetime

import pulumi

from infra import sdk_imports

sdk_imports.on_demand(*sdk_imports.LARGE)

from infra import config, stack  # noqa: E402 - their imports of the SDK are what is put off
from infra.support import warn_of_support  # noqa: E402 - as above

settings, region = config.load()
warn_of_support(settings, today=datetime.now(UTC).date())
for name, value in stack.build(settings, region).items():
    pulumi.export(name, value)
