"""The commands `ingest` and `collections`."""

import json
import re
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from agent_runtime.agent.model_client import ModelClient
from agent_runtime.errors import RequestError
from agent_runtime.knowledge.document import UnreadableFileError
from agent_runtime.knowledge.embedding import PaddedEmbedder
from agent_runtime.knowledge.ingest import Ingestion, Report, Target
from agent_runtime.knowledge.progress import ProgressBar
from agent_runtime.knowledge.source_file import (
    DEFAULT_MAX_BYTES,
    MEGABYTE,
    SourceFile,
    files_under,
    inspected,
)
from agent_runtime.memory.long_term import MilvusLongTermMemory
from agent_runtime.memory.ports import MemoryUnavailableError
from agent_runtime.memory.tenant_filter import TENANT
from agent_runtime.secret_file import SecretUnavailableError
from agent_runtime.settings import Settings
from agent_runtime.telemetry.metrics import Metrics
from agent_runtime.telemetry.tracing import Tracing

_COLLECTION = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,254}")
OK, FAILED = 0, 2


@dataclass(frozen=True)
class IngestOptions:
    """What the command line says."""

    collection: str
    tenant: str
    paths: list[Path]
    origin: str = "files"
    prune: bool = False
    max_bytes: int = DEFAULT_MAX_BYTES
    as_json: bool = False

    def mistakes(self) -> list[str]:
        """One line for each option that can't be."""
        given = (
            ("--tenant", self.tenant, TENANT, ". _ -"),
            ("--collection", self.collection, _COLLECTION, "_ -"),
            ("--origin", self.origin, TENANT, ". _ -"),
        )
        lines = [
            f"{option} {value!r}: allowed are letters, digits, {extra}"
            for option, value, pattern, extra in given
            if not pattern.fullmatch(value)
        ]
        if self.max_bytes < MEGABYTE:
            lines.append(f"--max-megabytes {self.max_bytes // MEGABYTE}: at least 1")
        return lines


async def ingest(settings: Settings, options: IngestOptions) -> int:
    """Load files; the exit status. Unreadable files are named, the readable ones are loaded."""
    if mistakes := options.mistakes():
        return _failed(*mistakes)
    files, unreadable = _inspected(options)
    if not files:
        return _failed(*unreadable)
    began = time.monotonic()
    bar = ProgressBar(quiet=options.as_json)
    try:
        report = await _load(settings, options, files, unreadable, bar)
    except (RequestError, MemoryUnavailableError, SecretUnavailableError) as error:
        bar.close()
        return _failed(str(error), *unreadable)
    bar.close()
    report.failed = [*unreadable, *report.failed]
    if options.as_json:
        about = {"collection": options.collection, "tenant": options.tenant, **asdict(report)}
        about["seconds"] = round(time.monotonic() - began, 3)
        sys.stdout.write(json.dumps(about, ensure_ascii=False) + "\n")
    else:
        _say(_summary(report, options))
    return _failed(*report.failed) if report.failed else OK


async def collections(settings: Settings, ensure: list[str]) -> int:
    """List the collections, after making those that are asked for; the exit status."""
    if wrong := [name for name in ensure if not _COLLECTION.fullmatch(name)]:
        return _failed(*(f"--ensure {name!r}: allowed are letters, digits, _ -" for name in wrong))
    memory = MilvusLongTermMemory.from_settings(settings)
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
    return OK


async def _load(
    settings: Settings,
    options: IngestOptions,
    files: list[SourceFile],
    unreadable: list[str],
    bar: ProgressBar,
) -> Report:
    metrics = Metrics("ingest")
    client = ModelClient(settings, metrics)
    tracing = Tracing(settings, "ingest", "", metrics.spans_dropped.labels("ingest"))
    memory = MilvusLongTermMemory.from_settings(settings)
    target = Target(options.collection, options.tenant, options.origin)
    ingestion = Ingestion(target, memory, PaddedEmbedder(settings, client, tracing), bar)
    try:
        await memory.ensure(options.collection)
        return await ingestion.load(files, prune=options.prune and not unreadable)
    finally:
        memory.close()
        await client.close()
        tracing.shutdown()


def _inspected(options: IngestOptions) -> tuple[list[SourceFile], list[str]]:
    """The files that can be read, and a line for each that can't."""
    files: list[SourceFile] = []
    unreadable: list[str] = []
    try:
        found = files_under(options.paths)
    except UnreadableFileError as error:
        return [], [str(error)]
    for path, name in found:
        try:
            files.append(inspected(path, name, max_bytes=options.max_bytes))
        except UnreadableFileError as error:
            unreadable.append(str(error))
    return files, unreadable


def _summary(report: Report, options: IngestOptions) -> str:
    return (
        f"{report.documents} documents, {report.passages} passages in {options.collection} for "
        f"tenant {options.tenant}; {report.embedded} new, {report.removed} removed"
    )


def _failed(*lines: str) -> int:
    for line in lines:
        _say(line)
    return FAILED


def _say(text: str) -> None:
    with suppress(BrokenPipeError):
        sys.stderr.write(text + "\n")
