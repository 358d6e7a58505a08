"""Prometheus from Debian's archive, unpacked into the cache: nothing is installed, no root needed.

apt checks the package against the archive's signatures; where there is no apt there is none.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from local.paths import Cache
from local.report import UserError

DOWNLOAD_SECONDS = 300
UNPACK_SECONDS = 120
UPDATE_SECONDS = 120
BINARY = Path("usr/bin/prometheus")


def _home(cache: Cache) -> Path:
    return cache.bin / "prometheus" / "debian"


def installed(cache: Cache) -> Path | None:
    """The `prometheus` to run: on PATH, else in the cache; None where neither has it."""
    on_path = shutil.which("prometheus")
    if on_path:
        return Path(on_path)
    cached = _home(cache) / BINARY
    return cached if cached.is_file() else None


def fetch(cache: Cache) -> Path:
    """Download and unpack the package if it is not there; UserError says why it can't be had."""
    found = installed(cache)
    if found:
        return found
    missing = [tool for tool in ("apt-get", "dpkg") if not shutil.which(tool)]
    if missing:
        raise UserError(
            f"no `prometheus` on PATH, and no {' or '.join(missing)} to fetch Debian's; "
            "install Prometheus, or set `metrics: {variant: none}` in the stack file"
        )
    home = _home(cache)
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home.parent) as scratch:
            _unpack(_download(Path(scratch)), home)
    except OSError as error:
        raise UserError(f"{home}: {error.strerror}; free space or unlock the folder") from error
    return home / BINARY


def _download(folder: Path) -> Path:
    """The package in `folder`; with package lists of our own where the machine has none."""
    download = ["apt-get", "download", "prometheus"]
    try:
        _run(download, folder, DOWNLOAD_SECONDS)
    except UserError:
        lists, cache = folder / "lists", folder / "cache"
        for each in (lists / "partial", cache / "archives" / "partial"):
            each.mkdir(parents=True)
        own = ["-o", f"Dir::State::lists={lists}", "-o", f"Dir::Cache={cache}"]
        # apt would hand the folders to its own user, who can't reach into a private cache.
        own += ["-o", "APT::Sandbox::User="]
        _run(["apt-get", "update", *own], folder, UPDATE_SECONDS)
        _run([*download, *own], folder, DOWNLOAD_SECONDS)
    packages = list(folder.glob("prometheus_*.deb"))
    if len(packages) != 1:
        raise UserError("apt-get downloaded no prometheus package; run `apt-get update` once")
    return packages[0]


def _unpack(package: Path, home: Path) -> None:
    unpacked = package.parent / "unpacked"
    _run(["dpkg", "-x", str(package), str(unpacked)], package.parent, UNPACK_SECONDS)
    if not (unpacked / BINARY).is_file():
        raise UserError(f"{package.name} holds no {BINARY}; install Prometheus yourself")
    unpacked.chmod(0o755)
    if home.exists():
        shutil.rmtree(home)
    unpacked.rename(home)


def _run(command: list[str], folder: Path, seconds: float) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise UserError(f"`{command[0]} {command[1]}` took more than {seconds:g} s") from error
    if done.returncode:
        reason = (done.stderr.strip() or "no reason given").splitlines()[0]
        raise UserError(f"`{command[0]} {command[1]}` failed: {reason}")
