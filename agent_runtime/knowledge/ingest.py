"""Documents into a collection of the vector store; doing it again changes nothing.

Passages are made, embedded and written as files are read, so that memory does not grow with a
file. What is stored already is not embedded again, and what a document no longer says is deleted.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Protocol

from agent_runtime.errors import RequestError
from agent_runtime.knowledge.chunking import chunks
from agent_runtime.knowledge.document import Document, Section, UnreadableFileError
from agent_runtime.knowledge.reading import read_document
from agent_runtime.knowledge.source_file import SourceFile
from agent_runtime.memory.ports import (
    LongTermMemory,
    MemoryUnavailableError,
    Metadata,
    Passage,
)

BATCH = 32
AT_ONCE = 4
"""Batches on their way to the embedding model and the store."""
KIND = "document"
_REMOVE_AT_ONCE = 500


class BatchEmbedder(Protocol):
    """Turns texts into vectors of the collection's dimension. Raises RequestError."""

    @property
    def model(self) -> str: ...

    async def embed_all(self, texts: Sequence[str]) -> list[list[float]]: ...


@dataclass(frozen=True)
class Target:
    """Where documents go, and under which name they are found again as a set."""

    collection: str
    tenant: str
    origin: str = "files"


@dataclass
class Report:
    """What came of it."""

    documents: int = 0
    passages: int = 0
    embedded: int = 0
    """Passages that were new."""
    removed: int = 0
    """Passages that no document says any more."""
    failed: list[str] = field(default_factory=list)
    """One line for each file that was not loaded."""


@dataclass(frozen=True)
class _Piece:
    """A passage before it has its vector."""

    id: str
    content: str
    embedded_text: str
    metadata: Metadata
    bytes_done: int


def document_key(source: str) -> str:
    """A source in a form that filters take."""
    return hashlib.sha256(source.encode()).hexdigest()[:32]


def passage_id(tenant: str, source: str, model: str, content: str) -> str:
    """The same for the same content of the same document, tenant and embedding model."""
    text = "\x1f".join((tenant, source, model, content))
    return hashlib.sha256(text.encode()).hexdigest()


class Ingestion:
    """One run over a set of files."""

    def __init__(
        self,
        target: Target,
        memory: LongTermMemory,
        embedder: BatchEmbedder,
        progress: Callable[[int, int, int], None] = lambda *_: None,
    ) -> None:
        """`progress` gets bytes read, bytes in all, and passages so far."""
        self._target = target
        self._memory = memory
        self._embedder = embedder
        self._progress = progress
        self._kept: dict[str, set[str]] = {}
        """Ids of what each document says now, by the document's key."""
        self._report = Report()
        self._bytes_done = 0

    async def load(self, files: Sequence[SourceFile], *, prune: bool = False) -> Report:
        """Load the files; unreadable ones are named in the report.

        `prune` also deletes documents of the same origin that are not among the files, unless one
        of them was unreadable. Raises MemoryUnavailableError and RequestError; calling it again
        goes on where it ended.
        """
        total = sum(file.bytes for file in files)
        pieces = self._pieces(files)
        try:
            async with asyncio.TaskGroup() as group:
                free = asyncio.Semaphore(AT_ONCE)
                while batch := await asyncio.to_thread(_next_batch, pieces):
                    await free.acquire()
                    group.create_task(self._store(batch, free, total))
        except BaseExceptionGroup as several:
            # within `except*`, Python before 3.11.4 wraps what is raised in a group again
            expected, others = several.split((MemoryUnavailableError, RequestError))
            if expected is None or others is not None:
                raise
            raise _first(expected) from None
        await self._remove_stale(prune=prune and not self._report.failed)
        return self._report

    def _pieces(self, files: Sequence[SourceFile]) -> Iterator[_Piece]:
        named: dict[str, Path] = {}
        done = 0
        for file in files:
            try:
                document = read_document(file)
                _check_unique(document, named)
                yield from self._pieces_of(document, done)
            except UnreadableFileError as error:
                self._report.failed.append(str(error))
            else:
                self._report.documents += 1
            done += file.bytes

    def _pieces_of(self, document: Document, bytes_before: int) -> Iterator[_Piece]:
        key = document_key(document.source)
        kept: set[str] = set()
        number = 0
        for section in document.sections:
            for content in chunks(section.text):
                text = _embedded_text(document, section, content)
                each = passage_id(self._target.tenant, document.source, self._embedder.model, text)
                if each in kept:
                    continue
                kept.add(each)
                metadata = self._metadata(document, section, key, number)
                yield _Piece(each, content, text, metadata, bytes_before + section.bytes_read)
                number += 1
        # only what was read to its end is known well enough to delete what it no longer says
        self._kept[key] = kept

    def _metadata(self, document: Document, section: Section, key: str, number: int) -> Metadata:
        about: dict[str, str | int] = {
            "kind": KIND,
            "document": document.source,
            "document_key": key,
            "origin": self._target.origin,
            "title": document.title[:300],
            "section": section.heading[:300],
            "language": document.language,
            "chunk": number,
        }
        return about | ({"page": section.page} if section.page else {})

    async def _store(self, batch: list[_Piece], free: asyncio.Semaphore, total: int) -> None:
        try:
            target = self._target
            ids = [piece.id for piece in batch]
            known = await self._memory.known(target.collection, ids, tenant=target.tenant)
            new = [piece for piece in batch if piece.id not in known]
            if new:
                vectors = await self._embedder.embed_all([piece.embedded_text for piece in new])
                passages = [
                    Passage(piece.id, piece.content, vector, target.tenant, piece.metadata)
                    for piece, vector in zip(new, vectors, strict=True)
                ]
                await self._memory.store(target.collection, passages)
        finally:
            free.release()
        self._report.passages += len(batch)
        self._report.embedded += len(new)
        self._bytes_done = max(self._bytes_done, batch[-1].bytes_done)
        self._progress(self._bytes_done, total, self._report.passages)

    async def _remove_stale(self, *, prune: bool) -> None:
        """Delete what the documents said once; with `prune` also documents that are gone."""
        target = self._target
        stale: list[str] = []
        if prune:
            only: Metadata = {"kind": KIND, "origin": target.origin}
            found = await self._memory.listed(target.collection, tenant=target.tenant, only=only)
            now = {each for ids in self._kept.values() for each in ids}
            stale = [each for each, _ in found if each not in now]
        else:
            for key, ids in self._kept.items():
                only = {"kind": KIND, "document_key": key}
                found = await self._memory.listed(
                    target.collection, tenant=target.tenant, only=only
                )
                stale += [each for each, _ in found if each not in ids]
        for start in range(0, len(stale), _REMOVE_AT_ONCE):
            some = stale[start : start + _REMOVE_AT_ONCE]
            self._report.removed += await self._memory.remove(
                target.collection, some, tenant=target.tenant
            )


def _embedded_text(document: Document, section: Section, content: str) -> str:
    """A passage is easier to find with its document's title and its headings in front of it."""
    if content.startswith("#"):
        return content
    above = [document.title, section.heading]
    return "\n".join([*dict.fromkeys(each for each in above if each), content])


def _check_unique(document: Document, named: dict[str, Path]) -> None:
    first = named.setdefault(document.source, document.path)
    if first is not document.path:
        raise UnreadableFileError(
            f"{document.path}: source {document.source!r} is that of {first} too"
        )


def _next_batch(pieces: Iterable[_Piece]) -> list[_Piece]:
    return list(islice(pieces, BATCH))


def _first(several: BaseExceptionGroup[Exception]) -> Exception:
    error = several.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
