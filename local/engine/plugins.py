"""Which plugins the engine gets: the real ones where installed, else stand-ins; on record."""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from local.kubeconfig import write_private
from local.paths import CHECKOUT
from local.report import UserError

Kind = Literal["real", "stand-in"]


@dataclass(frozen=True)
class Plugin:
    """One plugin that the program needs, in the version its SDK asks for."""

    kind: Literal["language", "resource"]
    name: str
    distribution: str
    """The SDK whose installed version names the plugin's."""
    module: str
    """The stand-in's module."""

    @property
    def version(self) -> str | None:
        """None when the SDK is not installed: then the program can't ask for the plugin."""
        try:
            return version(self.distribution)
        except PackageNotFoundError:
            return None

    @property
    def executable(self) -> str:
        return f"pulumi-{self.kind}-{self.name}"

    @property
    def folder(self) -> str:
        return f"{self.kind}-{self.name}-v{self.version}"


PLUGINS = (
    Plugin("language", "python", "pulumi", "local.standin.language"),
    Plugin("resource", "kubernetes", "pulumi-kubernetes", "local.standin.kubernetes"),
    Plugin("resource", "aws", "pulumi-aws", "local.standin.recording"),
    Plugin("resource", "eks", "pulumi-eks", "local.standin.recording"),
    Plugin("resource", "docker-build", "pulumi-docker-build", "local.standin.recording"),
)


def find_real(plugin: Plugin, beside: Path) -> Path | None:
    """The real plugin: with the CLI, in that very version in ~/.pulumi/plugins, or on PATH."""
    kept = Path.home() / ".pulumi" / "plugins" / plugin.folder / plugin.executable
    for installed in (beside.resolve().parent / plugin.executable, kept):
        if installed.is_file() and os.access(installed, os.X_OK):
            return installed
    on_path = shutil.which(plugin.executable)
    return Path(on_path) if on_path else None


def install(home: Path, plugins: Iterable[Plugin], *, beside: Path) -> dict[str, Kind]:
    """Put every needed plugin into `home`; returns which kind each one is.

    `beside` is the pulumi executable: a full installation has plugins in its folder.
    """
    kinds: dict[str, Kind] = {}
    for plugin in plugins:
        if plugin.version is None:
            continue
        folder = home / "plugins" / plugin.folder
        target = folder / plugin.executable
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        real = find_real(plugin, beside)
        if real is not None and real.resolve() != target.resolve():
            _link(target, real)
            kinds[plugin.name] = "real"
        else:
            _write_launcher(target, plugin)
            kinds[plugin.name] = "stand-in"
    return kinds


def check_kinds(record: Path, kinds: dict[str, Kind], *, has_state: bool) -> None:
    """Keep `record` of the kinds in use; UserError when state was written by the other kind."""
    known = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    changed = sorted(name for name, kind in kinds.items() if known.get(name, kind) != kind)
    if changed and has_state:
        was = ", ".join(f"{name}: {known[name]} before, {kinds[name]} now" for name in changed)
        raise UserError(
            f"the Pulumi plugins of this state have changed ({was}); state that one wrote must not "
            "meet the other: destroy with the former ones, or begin anew with `make clean`"
        )
    if known != kinds:
        write_private(record, json.dumps(kinds, indent=2, sort_keys=True) + "\n")


def _link(target: Path, real: Path) -> None:
    if target.is_symlink() and target.readlink() == real:
        return
    target.unlink(missing_ok=True)
    target.symlink_to(real)


def _write_launcher(target: Path, plugin: Plugin) -> None:
    """A script that starts the stand-in with this Python, wherever it is called from."""
    code = (
        f"import sys; sys.path.insert(0, {str(CHECKOUT)!r}); "
        f"from {plugin.module}.__main__ import main; sys.exit(main({_arguments(plugin)}))"
    )
    # -P keeps the working folder off the path: a program's own modules must not shadow a plugin's.
    command = shlex.join([sys.executable, "-P", "-c", code])
    text = f'#!/bin/sh\nexec {command} "$@"\n'
    if target.is_symlink() or not target.is_file() or target.read_text(encoding="utf-8") != text:
        draft = target.with_name(f".{target.name}.{os.getpid()}")
        draft.write_text(text, encoding="utf-8")
        draft.chmod(0o700)
        draft.replace(target)


def _arguments(plugin: Plugin) -> str:
    return repr(plugin.name) if plugin.module.endswith("recording") else ""
