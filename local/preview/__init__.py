"""What a stack would make, found out on this machine alone: no cloud, no credentials, no state."""

from local.preview.outcome import Outcome
from local.preview.run import missing_crds, preview

__all__ = ["Outcome", "missing_crds", "preview"]
