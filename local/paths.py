"""Where the local plane keeps things: state inside the checkout, caches outside it."""

import os
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
STATE_VARIABLE = "AGENTIC_STATE_DIR"


@dataclass(frozen=True)
class State:
    """The files of one local platform; all of them lie under `root`."""

    root: Path

    @classmethod
    def default(cls) -> "State":
        """`.local` in the checkout, or the folder that `AGENTIC_STATE_DIR` names."""
        return cls(Path(os.environ.get(STATE_VARIABLE) or CHECKOUT / ".local").absolute())

    @property
    def kubeconfig(self) -> Path:
        return self.root / "kubeconfig"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def pod_log(self) -> Path:
        return self.log / "pods"

    @property
    def pulumi_home(self) -> Path:
        return self.root / "pulumi" / "home"

    @property
    def pulumi_state(self) -> Path:
        return self.root / "pulumi" / "state"

    @property
    def volumes(self) -> Path:
        return self.root / "volumes"

    @property
    def pods(self) -> Path:
        return self.root / "pods"

    def make(self) -> None:
        """Create the folders, closed to other users."""
        for folder in (self.root, self.secrets, self.run, self.log, self.pod_log):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.pulumi_home, self.pulumi_state, self.volumes, self.pods):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)


@dataclass(frozen=True)
class Cache:
    """What several checkouts share: built tools by version, downloads, slots."""

    root: Path

    @classmethod
    def default(cls) -> "Cache":
        """`agentic-platform` in the user's cache folder (`XDG_CACHE_HOME`, else `~/.cache`)."""
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return cls(Path(base).absolute() / "agentic-platform")

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    @property
    def downloads(self) -> Path:
        return self.root / "downloads"

    @property
    def slots(self) -> Path:
        return self.root / "slots"
