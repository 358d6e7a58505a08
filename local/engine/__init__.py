"""The real Pulumi engine over this checkout's program: state, plugins and secrets of its own."""

from local.engine.engine import Engine
from local.engine.events import EngineResult

__all__ = ["Engine", "EngineResult"]
