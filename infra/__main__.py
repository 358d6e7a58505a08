"""What `pulumi up` runs: read the stack file, build what it says, export the outputs."""

import pulumi

from infra import config, stack

for name, value in stack.build(*config.load()).items():
    pulumi.export(name, value)
