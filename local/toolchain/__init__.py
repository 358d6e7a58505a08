"""The programs that the local platform runs but does not contain."""

from local.toolchain.pins import (
    CHART_TOOLS,
    CONTROL_PLANE_TOOLS,
    GATEWAY_TOOLS,
    LIMIT_TOOLS,
    PLATFORM_TOOLS,
    SCALING_TOOLS,
)
from local.toolchain.provision import cached, ensure

__all__ = [
    "CHART_TOOLS",
    "CONTROL_PLANE_TOOLS",
    "GATEWAY_TOOLS",
    "LIMIT_TOOLS",
    "PLATFORM_TOOLS",
    "SCALING_TOOLS",
    "cached",
    "ensure",
]
