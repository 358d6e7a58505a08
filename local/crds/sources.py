"""Where the bytes of a locked CRD file come from; whatever gives them, the checksum decides."""

import hashlib
import os
import subprocess
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Literal

import httpx

from local.crds.lock import LockedFile, Project
from local.paths import CHECKOUT, Cache
from local.report import UserError

Origin = Literal["folder", "module", "cache", "download"]
FOLDER_VARIABLE = "AGENTIC_CRDS"
CONNECT_SECONDS = 3.0
READ_SECONDS = 15.0
LARGEST_BYTES = 16 * 1024 * 1024


class Sources:
    """A folder of CRDs, Go's module cache, our own cache, then the network, in that order."""

    def __init__(self, cache: Cache, *, network: bool = True) -> None:
        self._kept = cache.downloads / "crds"
        self._own_modules = cache.root / "go" / "modules"
        self._network = network
        self._bundles: dict[str, bytes] = {}
        self.unreachable: str | None = None
        """Why the network gave nothing; after the first failure no other address is tried."""

    def read(self, project: Project, file: LockedFile) -> tuple[Origin, bytes] | None:
        """The file's bytes, or None when no source has it.

        Raises UserError for a source whose bytes are not the pinned ones.
        """
        if self.folder:
            local = self.folder / project.folder / file.file
            if local.exists():
                return "folder", _checked(local.read_bytes(), file.sha256, str(local))
        for module in self._in_modules(project, file):
            return "module", _checked(module.read_bytes(), file.module_sha256, str(module))
        kept = self._kept / f"{file.sha256}.yaml"
        if kept.exists():
            return "cache", _checked(kept.read_bytes(), file.sha256, str(kept))
        content = self._download(file)
        if content is None:
            return None
        self._kept.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = kept.with_suffix(f".{os.getpid()}")
        draft.write_bytes(content)
        draft.replace(kept)
        return "download", content

    @cached_property
    def folder(self) -> Path | None:
        """`AGENTIC_CRDS`, else `shared/crds` beside the checkout when it is there."""
        named = os.environ.get(FOLDER_VARIABLE)
        if named and not Path(named).is_dir():
            raise UserError(f"{FOLDER_VARIABLE}={named}: no such folder; unset it or name another")
        beside = CHECKOUT.parent / "shared" / "crds"
        if named:
            return Path(named)
        return beside if beside.is_dir() else None

    def _in_modules(self, project: Project, file: LockedFile) -> Iterator[Path]:
        if not (project.module and file.module_path):
            return
        for root in self._module_caches:
            found = root / project.module / file.module_path
            if found.exists():
                yield found

    @cached_property
    def _module_caches(self) -> list[Path]:
        try:
            answer = subprocess.run(
                ["go", "env", "GOMODCACHE"], capture_output=True, text=True, check=True, timeout=10
            ).stdout.strip()
        except (OSError, subprocess.SubprocessError):
            answer = ""
        return [Path(answer), self._own_modules] if answer else [self._own_modules]

    def _download(self, file: LockedFile) -> bytes | None:
        content = self._bundles.get(file.url)
        if content is None:
            if not self._network or self.unreachable:
                return None
            content = self._fetch(file.url)
            if content is None:
                return None
            self._bundles[file.url] = content
        if file.bundled:
            return _piece(content, file)
        return _checked(content, file.sha256, file.url)

    def _fetch(self, url: str) -> bytes | None:
        timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
        received = bytearray()
        try:
            with httpx.stream("GET", url, timeout=timeout, follow_redirects=True) as answer:
                answer.raise_for_status()
                for block in answer.iter_bytes():
                    received += block
                    if len(received) > LARGEST_BYTES:
                        raise UserError(f"{url}: more than {LARGEST_BYTES} bytes: refused")
        except httpx.HTTPError as error:
            self.unreachable = f"{httpx.URL(url).host}: {error}".splitlines()[0]
            return None
        return bytes(received)


def _checked(content: bytes, wanted: str | None, where: str) -> bytes:
    found = hashlib.sha256(content).hexdigest()
    if found != wanted:
        raise UserError(
            f"{where}: its SHA-256 is {found[:16]}…, local/crds/lock.yaml pins "
            f"{str(wanted)[:16]}…: refused; restore the file or take it away"
        )
    return content


def _piece(bundle: bytes, file: LockedFile) -> bytes:
    """The document of `bundle` that has the pinned checksum, with its separator line or without."""
    for document in bundle.split(b"\n---\n"):
        body = document.removeprefix(b"---\n").rstrip(b"\n")
        for candidate in (body, body + b"\n", b"---\n" + body, b"---\n" + body + b"\n"):
            if hashlib.sha256(candidate).hexdigest() == file.sha256:
                return candidate
    raise UserError(
        f"{file.url}: no document in it has the SHA-256 {file.sha256[:16]}… that "
        f"local/crds/lock.yaml pins for {file.file}: refused"
    )
