"""Lints every Kubernetes object that the stacks make, with checkov at a pinned version.

    python -m tools.lint_objects

checkov lives in an environment of its own in the cache (it is no dependency of the platform). What
stays is in `tools/lint/accepted.yaml`, each finding with its reason.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import yaml

from local.paths import Cache
from local.report import UserError
from local.toolchain.wheels import uv_program

FOLDER = Path(__file__).with_name("lint")
REQUIREMENTS = FOLDER / "requirements.txt"
ACCEPTED = FOLDER / "accepted.yaml"
OPTIONS = (
    *("--framework", "kubernetes", "-o", "json"),
    *("--quiet", "--compact", "--skip-download", "--soft-fail"),
)
STACKS = ("dev", "prod", "local", "tenant-a")


class Finding(NamedTuple):
    """One check that one object fails."""

    check: str
    about: str
    object: str
    """`<stack> <kind> <namespace>/<name>`"""


class Accepted(NamedTuple):
    """Findings that stay."""

    check: str
    about: str
    objects: tuple[str, ...]
    reason: str

    def covers(self, finding: Finding) -> bool:
        return finding.check == self.check and any(
            re.fullmatch(pattern, finding.object) for pattern in self.objects
        )


def accepted() -> list[Accepted]:
    """What the file says; ValueError for an entry without a reason."""
    entries = [
        Accepted(it["check"], it["about"], tuple(it["objects"]), it["reason"].strip())
        for it in yaml.safe_load(ACCEPTED.read_text("utf-8"))
    ]
    for entry in entries:
        if len(entry.reason.split()) < 5:
            raise ValueError(f"{ACCEPTED.name}: {entry.check} needs a reason in words")
    return entries


def checkov(cache: Cache) -> Path:
    """The program, installed at first use; UserError without uv."""
    version = re.search(r"^checkov==(\S+)", REQUIREMENTS.read_text("utf-8"), re.MULTILINE)
    assert version is not None  # noqa: S101 - the file is ours
    folder = cache.bin / "checkov" / version[1]
    program = folder / "bin" / "checkov"
    if program.is_file():
        return program
    uv = uv_program(cache)
    if uv is None:
        raise UserError("checkov: needs uv to be installed: run `make up`, which brings it")
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(folder)], check=True)
    install = [uv, "pip", "install", "-q", "--python", str(folder / "bin" / "python")]
    subprocess.run([*install, "-r", str(REQUIREMENTS)], check=True)
    return program


def findings(objects: Mapping[str, Iterable[Mapping[str, object]]], program: Path) -> list[Finding]:
    """Every failed check; `objects` are manifests by stack. Nothing is sent anywhere."""
    with tempfile.TemporaryDirectory(prefix="lint-") as folder:
        for stack, manifests in objects.items():
            text = yaml.safe_dump_all([dict(it) for it in manifests], sort_keys=False)
            (Path(folder) / f"{stack}.yaml").write_text(text, encoding="utf-8")
        done = subprocess.run(
            [str(program), *OPTIONS, "-d", folder],
            capture_output=True,
            text=True,
            check=True,
            cwd=folder,
        )
    report = json.loads(done.stdout)
    if not report["summary"]["passed"] or report["summary"]["parsing_errors"]:
        raise RuntimeError(f"checkov read nothing or not all: {report['summary']}")
    found = []
    for it in report["results"]["failed_checks"]:
        kind, _, name = it["resource"].partition(".")
        stack = Path(it["file_path"]).stem
        found.append(
            Finding(it["check_id"], it["check_name"], f"{stack} {kind} {name.replace('.', '/', 1)}")
        )
    return sorted(found)


def judge(found: list[Finding], entries: list[Accepted]) -> tuple[list[Finding], list[Accepted]]:
    """Findings that nobody accepted, and entries that nothing needs."""
    left = [it for it in found if not any(entry.covers(it) for entry in entries)]
    stale = [entry for entry in entries if not any(entry.covers(it) for it in found)]
    return left, stale


def main() -> None:
    """Exit 1 with a line for each finding that has no reason, and for each stale reason."""
    from tests.harness.manifests import manifests

    argparse.ArgumentParser(description=__doc__).parse_args()
    found = findings({it: manifests(it) for it in STACKS}, checkov(Cache.default()))
    left, stale = judge(found, accepted())
    for finding in left:
        print(f"{finding.object}: {finding.check} {finding.about}")
    for entry in stale:
        print(f"{ACCEPTED.name}: {entry.check} {entry.objects} matches nothing; remove it")
    print(f"{len(found)} findings, {len(found) - len(left)} accepted with a reason")
    sys.exit(1 if left or stale else 0)


if __name__ == "__main__":
    main()
