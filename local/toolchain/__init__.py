"""The programs that the local platform runs but does not contain."""

from local.toolchain.pins import ALL_TOOLS, CONTROL_PLANE_TOOLS
from local.toolchain.provision import cached, ensure

__all__ = ["ALL_TOOLS", "CONTROL_PLANE_TOOLS", "cached", "ensure"]
