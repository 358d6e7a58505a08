"""Documents into a collection of the vector store; doing it again changes nothing."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Protocol

from agent_runtime.knowledge.chunking import chunks
from agent_runtime.knowledge.text_file import TextFile
from agent_runtime.memory.ports import LongTermMemory, Passage

BATCH = 32


class BatchEmbedder(Protocol):
    """Turns texts into vectors of the collection's dimension."""

    async def embed_all(self, texts: Sequence[str]) -> list[list[float]]: ...


def passage_id(tenant: str, source: str, content: str) -> str:
    """The same for the same content of the same document and tenant: 64 hex digits."""
    text = "\x1f".join((tenant, source, content))
    return hashlib.sha256(text.encode()).hexdigest()


async def store_files(
    files: Sequence[TextFile],
    *,
    collection: str,
    tenant: str,
    memory: LongTermMemory,
    embedder: BatchEmbedder,
    progress: Callable[[int, int], None],
) -> int:
    """The number of passages stored; `progress` gets (stored so far, all)."""
    pieces = [
        (file, number, text) for file in files for number, text in enumerate(chunks(file.text))
    ]
    stored = 0
    for batch in _batches(pieces):
        vectors = await embedder.embed_all([_embedded_text(file, text) for file, _, text in batch])
        passages = [
            Passage(
                id=passage_id(tenant, file.source, text),
                content=text,
                embedding=vector,
                tenant=tenant,
                document=file.source,
                title=file.title,
                language=file.language,
                chunk=number,
            )
            for (file, number, text), vector in zip(batch, vectors, strict=True)
        ]
        stored += await memory.store(collection, passages)
        progress(stored, len(pieces))
    return stored


Piece = tuple[TextFile, int, str]


def _embedded_text(file: TextFile, text: str) -> str:
    """A passage is easier to find with its document's title in front of it."""
    return text if text.startswith("#") else f"{file.title}\n{text}"


def _batches(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    remaining = iter(pieces)
    while batch := list(islice(remaining, BATCH)):
        yield batch
