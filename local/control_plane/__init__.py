"""A real Kubernetes control plane as plain processes on loopback addresses."""

from local.control_plane.plane import COMPONENTS, ControlPlane, RunningPlane
from local.control_plane.slots import Slot, lease
from local.process import ProcessSpec

__all__ = ["COMPONENTS", "ControlPlane", "ProcessSpec", "RunningPlane", "Slot", "lease"]
