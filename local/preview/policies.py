"""A policy pack as part of a preview."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Policies:
    """A pack whose environment is there, and other settings of its rules."""

    pack: Path
    config: Path | None = None
    """JSON by rule: a level, or an object with `enforcementLevel` and the rule's own keys."""

    def arguments(self) -> tuple[str, ...]:
        """For the CLI."""
        config = ("--policy-pack-config", str(self.config)) if self.config else ()
        return ("--policy-pack", str(self.pack), *config)
