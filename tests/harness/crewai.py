"""Python with CrewAI and the runtime, in an environment of its own below the cache (1.1 GB)."""

import hashlib
from pathlib import Path

from local.paths import CHECKOUT, Cache
from tests.harness import own_environment

REQUIREMENTS = CHECKOUT / "agent_runtime" / "crewai-requirements.txt"


def interpreter() -> Path:
    """Made once for each state of the requirements; skips where uv or the packages can't be had."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:16]
    return own_environment.interpreter(Cache.default().root / "crewai" / digest, "-r", REQUIREMENTS)
