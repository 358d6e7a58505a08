"""The chart releases of a stack, as a hermetic preview of its program gives them."""

import json
import re
import shlex
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from components.versions import KUBERNETES_VERSION
from local.crds import locked
from local.engine.events import Step
from local.engine.stack_files import KEY
from local.paths import CHECKOUT, Cache
from local.preview import preview
from local.report import Progress, UserError

RELEASE = "kubernetes:helm.sh/v3:Release"
BUNDLE = "agentic:cluster:CustomResourceDefinitions"
OF_DEFINITIONS = re.compile(r"-crds?$")
PROJECTS = {"base": "istio"}
"""Charts whose name does not tell whose kinds they bring."""
KINDS = {
    "clickhouse-operator-helm": (
        "clickhouse.com/v1alpha1",
        "clickhouse.com/v1alpha1/ClickHouseCluster",
        "clickhouse.com/v1alpha1/KeeperCluster",
    )
}
"""Kinds of charts whose CRDs are not locked, as no object of this program is of them."""


@dataclass(frozen=True)
class Release:
    """What is installed under one name."""

    name: str
    chart: str
    """Of a repository its name, of a registry its whole address."""
    repository: str
    """Empty for a registry."""
    version: str
    namespace: str
    values: str
    """JSON with sorted keys."""
    with_definitions: bool
    """Whether the chart's folder of CRDs is installed too."""
    kubernetes: str
    """Version that the chart is told, such as `1.34.0`."""
    api_versions: tuple[str, ...]
    """What the chart is told that the cluster knows, beside Kubernetes' own."""


def release_of(step: Step, *, kubernetes: str, api_versions: tuple[str, ...]) -> Release:
    """Out of the inputs of a Release."""
    found = step.inputs
    return Release(
        name=str(found.get("name") or step.name),
        chart=str(found["chart"]),
        repository=str((found.get("repositoryOpts") or {}).get("repo", "")),
        version=str(found.get("version", "")),
        namespace=str(found.get("namespace") or "default"),
        values=json.dumps(found.get("values") or {}, sort_keys=True),
        with_definitions=not found.get("skipCrds", False),
        kubernetes=kubernetes,
        api_versions=api_versions,
    )


def api_versions(installed: Iterable[str]) -> tuple[str, ...]:
    """`group/version` and `group/version/Kind` of the locked CRDs of those charts and bundles."""
    installed = [*installed]
    projects = {PROJECTS.get(name, OF_DEFINITIONS.sub("", name)) for name in installed}
    found = {
        name
        for project in locked()
        if project.default and project.project in projects
        for file in project.files
        for crd in file.crds
        for version in crd.versions
        for name in (f"{crd.group}/{version}", f"{crd.group}/{version}/{crd.kind}")
    }
    return tuple(sorted(found.union(*(KINDS.get(name, ()) for name in installed))))


def releases_of(steps: Iterable[Step], *, stack_file: str) -> dict[str, Release]:
    """By the name in the program."""
    steps = [*steps]
    charts = {str(it.inputs["chart"]).rpartition("/")[2] for it in steps if it.type == RELEASE}
    known = api_versions([*charts, *(it.name for it in steps if it.type == BUNDLE)])
    kubernetes = f"{kubernetes_version(stack_file)}.0"
    alike = _without_suffixes([it.name for it in steps])
    return {
        it.name: alike(release_of(it, kubernetes=kubernetes, api_versions=known))
        for it in steps
        if it.type == RELEASE
    }


def _without_suffixes(names: list[str]) -> Callable[[Release], Release]:
    """Names that the engine would choose end in seven digits of their own at each preview."""
    longest_first = sorted({*names}, key=len, reverse=True)
    chosen = re.compile(rf"\b({'|'.join(map(re.escape, longest_first))})-[0-9a-f]{{7}}\b")
    return lambda release: replace(release, values=chosen.sub(r"\1-0000000", release.values))


def kubernetes_version(stack_file: str) -> str:
    """Minor version that the stack file names; the platform's own where it names none."""
    try:
        found = yaml.safe_load(stack_file)["config"][KEY]["cluster"]["eks"]["version"]
    except (yaml.YAMLError, KeyError, TypeError):
        return KUBERNETES_VERSION
    return str(found)


def previewed(
    stack: str, checkout: Path, tools: Mapping[str, Path], progress: Progress
) -> dict[str, Release]:
    """The releases of a checkout's program; none where it has no such stack. UserError, a line
    each, where the program refuses its stack file."""
    file = checkout / f"Pulumi.{stack}.yaml"
    if not file.is_file():
        return {}
    # Only the engine: what the API server thinks of objects is another command's question.
    engine = {"pulumi": tools["pulumi"]}
    outcome = preview(stack, file, engine, Cache.default(), progress, checkout=checkout)
    if not outcome.ok:
        raise UserError(*outcome.result.errors)
    return releases_of(outcome.result.steps, stack_file=file.read_text("utf-8"))


@contextmanager
def checkout_of(reference: str, *, repository: Path = CHECKOUT) -> Iterator[Path]:
    """The files of a commit in a folder for the time of the block; UserError for an unknown one.

    Its program runs with this checkout's packages: `uv.lock` of the commit is not installed.
    """
    with tempfile.TemporaryDirectory(prefix="charts-") as made:
        folder, archive = Path(made) / "checkout", Path(made) / "checkout.zip"
        command = ["git", "archive", "--format=zip", f"--output={archive}", "--end-of-options"]
        done = subprocess.run(
            [*command, reference], cwd=repository, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            why = " ".join(done.stderr.split())
            raise UserError(
                f"base: got '{reference}', which git can't read ({why}); allowed is a commit, tag "
                "or branch that was fetched"
            )
        with zipfile.ZipFile(archive) as files:
            files.extractall(folder)
        _interpreter(folder)
        yield folder


def _interpreter(folder: Path) -> None:
    """A Python that finds the commit's packages before the installed ones of this checkout."""
    program = folder / ".venv" / "bin" / "python"
    program.parent.mkdir(parents=True)
    path, python = shlex.quote(str(folder)), shlex.quote(sys.executable)
    program.write_text(f'#!/bin/sh\nPYTHONPATH={path} exec {python} "$@"\n')
    program.chmod(0o755)
