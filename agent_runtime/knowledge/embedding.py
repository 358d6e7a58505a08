"""Text to vectors of the collections' dimension."""

from collections.abc import Sequence

from agent_runtime.agent.model_client import ModelClient
from agent_runtime.errors import RequestError
from agent_runtime.settings import Settings
from agent_runtime.telemetry import names
from agent_runtime.telemetry.tracing import Tracing

BATCH_SECONDS = 180.0
"""Nobody waits for a batch, and a busy CPU takes a minute for 32 passages."""


def padded(vector: list[float], dimension: int) -> list[float]:
    """`vector` with zeros appended, which leaves every cosine as it was."""
    if len(vector) > dimension:
        text = f"the embedding has {len(vector)} dimensions, the collection {dimension}"
        raise RequestError(503, "wrong_dimension", text)
    return vector + [0.0] * (dimension - len(vector))


class PaddedEmbedder:
    """The embedding model behind the gateway."""

    def __init__(self, settings: Settings, client: ModelClient, tracing: Tracing) -> None:
        self.model = settings.embedding_model
        self._dimension = settings.embedding_dimension
        self._client = client
        self._tracing = tracing

    async def embed(self, text: str) -> list[float]:
        """One vector, soon. Raises RequestError."""
        return (await self._vectors([text], None))[0]

    async def embed_all(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector for each text, however long it takes. Raises RequestError."""
        return await self._vectors(texts, BATCH_SECONDS)

    async def _vectors(self, texts: Sequence[str], seconds: float | None) -> list[list[float]]:
        attributes = {names.REQUEST_MODEL: self.model, names.OBSERVATION_TYPE: "embedding"}
        with self._tracing.span(f"embeddings {self.model}", "embeddings", attributes):
            vectors = await self._client.embed(self.model, texts, seconds=seconds)
        return [padded(vector, self._dimension) for vector in vectors]
