"""The upstream CRD files that the platform uses, as pinned in lock.yaml."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict

from local.report import UserError

LOCK = Path(__file__).with_name("lock.yaml")


class _Locked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Definition(_Locked):
    """What a placeholder needs to know of one CRD."""

    name: str
    """`<plural>.<group>`."""
    kind: str
    scope: Literal["Namespaced", "Cluster"]
    versions: tuple[str, ...]
    """The served ones; objects are stored as the first."""

    @property
    def plural(self) -> str:
        return self.name.partition(".")[0]

    @property
    def group(self) -> str:
        return self.name.partition(".")[2]


class LockedFile(_Locked):
    """One upstream file with one CRD or a few."""

    file: str
    url: str
    sha256: str
    bundled: bool = False
    """The URL holds several documents; this file is one of them, byte for byte."""
    module_path: str | None = None
    module_sha256: str | None = None
    """The Go module's own variant of the file."""
    crds: tuple[Definition, ...]


class Project(_Locked):
    """One release of one project."""

    project: str
    version: str
    default: bool
    folder: str
    repository: str
    commit: str
    module: str | None = None
    """`path@version` of a Go module that carries some of the files."""
    files: tuple[LockedFile, ...]


@cache
def locked() -> tuple[Project, ...]:
    """All projects, in the lock's order."""
    entries = yaml.load(LOCK.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return tuple(Project.model_validate(entry) for entry in entries)


def select(names: Sequence[str]) -> list[tuple[Project, LockedFile]]:
    """The files for `names`, each once.

    A name is a project (its default release), a release's folder (`kagent-0.9.12`) or a CRD
    (`nodepools.karpenter.sh`). Raises UserError naming all unknown ones.
    """
    chosen: dict[str, tuple[Project, LockedFile]] = {}
    unknown = []
    for name in names:
        found = _matching(name)
        if not found:
            unknown.append(name)
        for project, file in found:
            chosen.setdefault(f"{project.folder}/{file.file}", (project, file))
    if unknown:
        known = ", ".join(dict.fromkeys(project.project for project in locked()))
        raise UserError(
            *(
                f"no CRDs are locked under the name {name!r} (there are: {known})"
                for name in unknown
            )
        )
    return list(chosen.values())


def _matching(name: str) -> list[tuple[Project, LockedFile]]:
    found = []
    for project in locked():
        whole = name == project.folder or (project.default and name == project.project)
        for file in project.files:
            single = project.default and any(crd.name == name for crd in file.crds)
            if whole or single:
                found.append((project, file))
    return found
