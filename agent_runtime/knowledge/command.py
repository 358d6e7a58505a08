"""The commands `ingest` and `collections`."""

import re
import sys
from pathlib import Path

from agent_runtime.agent.model_client import ModelClient
from agent_runtime.errors import RequestError
from agent_runtime.knowledge.embedding import PaddedEmbedder
from agent_runtime.knowledge.ingest import store_files
from agent_runtime.knowledge.text_file import (
    TextFile,
    UnreadableFileError,
    files_under,
    read_text_file,
)
from agent_runtime.memory.long_term import MilvusLongTermMemory
from agent_runtime.memory.ports import MemoryUnavailableError
from agent_runtime.secret_file import SecretFile, SecretUnavailableError
from agent_runtime.settings import Settings
from agent_runtime.telemetry.metrics import Metrics
from agent_runtime.telemetry.tracing import Tracing

_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_COLLECTION = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,254}")
_BAR = 30


async def ingest(settings: Settings, collection: str, tenant: str, paths: list[Path]) -> int:
    """Load files; the exit status. Unreadable files are named, the readable ones are loaded."""
    problems = [
        f"{option} {value!r}: allowed are letters, digits, {extra}"
        for option, value, pattern, extra in (
            ("--tenant", tenant, _TENANT, ". _ -"),
            ("--collection", collection, _COLLECTION, "_ -"),
        )
        if not pattern.fullmatch(value)
    ]
    if problems:
        return _failed(*problems)
    files, unreadable = _read(paths)
    if not files:
        return _failed(*unreadable)
    metrics = Metrics("ingest")
    client = ModelClient(settings, metrics)
    tracing = Tracing(settings, "ingest", "", metrics.spans_dropped.labels("ingest"))
    memory = _memory(settings)
    try:
        await memory.ensure(collection)
        stored = await store_files(
            files,
            collection=collection,
            tenant=tenant,
            memory=memory,
            embedder=PaddedEmbedder(settings, client, tracing),
            progress=_show,
        )
    except (RequestError, MemoryUnavailableError, SecretUnavailableError) as error:
        return _failed(str(error), *unreadable)
    finally:
        memory.close()
        await client.close()
        tracing.shutdown()
    _say(f"{len(files)} documents, {stored} passages in {collection} for tenant {tenant}")
    return _failed(*unreadable) if unreadable else 0


async def collections(settings: Settings, ensure: list[str]) -> int:
    """List the collections, after making those that are asked for; the exit status."""
    if wrong := [name for name in ensure if not _COLLECTION.fullmatch(name)]:
        return _failed(*(f"--ensure {name!r}: allowed are letters, digits, _ -" for name in wrong))
    memory = _memory(settings)
    try:
        for name in ensure:
            await memory.ensure(name)
        found = await memory.collections()
    except MemoryUnavailableError as error:
        return _failed(str(error))
    finally:
        memory.close()
    for name, count in found.items():
        sys.stdout.write(f"{name}\t{count}\n")
    return 0


def _memory(settings: Settings) -> MilvusLongTermMemory:
    token = SecretFile(settings.milvus_token_file) if settings.milvus_token_file else None
    return MilvusLongTermMemory(
        settings.milvus_url, token=token, dimension=settings.embedding_dimension
    )


def _read(paths: list[Path]) -> tuple[list[TextFile], list[str]]:
    files: list[TextFile] = []
    unreadable: list[str] = []
    try:
        found = files_under(paths)
    except UnreadableFileError as error:
        return [], [str(error)]
    for path in found:
        try:
            files.append(read_text_file(path))
        except UnreadableFileError as error:
            unreadable.append(str(error))
    return files, unreadable


def _show(done: int, total: int) -> None:
    """A bar that is redrawn on a terminal, and a line for each batch elsewhere."""
    if sys.stderr.isatty():
        filled = _BAR * done // max(total, 1)
        end = "\n" if done >= total else ""
        sys.stderr.write(f"\r[{'█' * filled}{'·' * (_BAR - filled)}] {done}/{total} passages{end}")
    else:
        _say(f"{done}/{total} passages")


def _failed(*lines: str) -> int:
    for line in lines:
        _say(line)
    return 2


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
