"""OpenAI's `/v1/embeddings` with all-MiniLM-L6-v2 on the CPU: 384 dimensions, length 1."""

import time
from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.report import UserError
from local.workloads.model_metrics import ModelMetrics
from local.workloads.openai_shapes import (
    EmbeddingsRequest,
    RequestRefusedError,
    embeddings_shape,
    models_shape,
    read,
    refused,
)
from local.workloads.sentence_embedding import DIMENSION, SentenceEmbedding
from local.workloads.serving import LOG_FIELDS, arguments, entry, model_arguments, serve

MODEL = "all-minilm-l6-v2"
MOST_TEXTS = 2_048


class EmbeddingServer:
    """The endpoints of one loaded model."""

    def __init__(self, embedding: SentenceEmbedding, *, names: Sequence[str]) -> None:
        self.embedding = embedding
        self.names = names
        self.metrics = ModelMetrics(names[0])
        self._created = int(time.time())

    def app(self) -> Starlette:
        routes = [
            Route("/v1/embeddings", self._embeddings, methods=["POST"]),
            Route("/v1/models", self._models),
            Route("/health", self._health),
            Route("/metrics", self.metrics.page),
        ]
        return Starlette(routes=routes, exception_handlers={RequestRefusedError: refused})

    def _models(self, _: Request) -> Response:
        owner = "sentence-transformers/all-MiniLM-L6-v2 (int8 ONNX)"
        return JSONResponse(models_shape(self.names, owner=owner, created=self._created))

    def _health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _embeddings(self, request: Request) -> Response:
        began = time.perf_counter()
        asked = await read(request, EmbeddingsRequest)
        texts = asked.texts()
        if not 1 <= len(texts) <= MOST_TEXTS:
            raise RequestRefusedError(400, f"input: {len(texts)} texts; allowed: 1 to {MOST_TEXTS}")
        if asked.dimensions not in (None, DIMENSION):
            raise RequestRefusedError(
                400, f"dimensions: {asked.dimensions}; this model gives {DIMENSION}, leave it out"
            )
        vectors, tokens = await run_in_threadpool(self.embedding.embed, texts)
        seconds = time.perf_counter() - began
        self.metrics.answered("embedded", seconds=seconds, prompt=tokens)
        log_fields = getattr(request.state, LOG_FIELDS, {})
        log_fields |= {"model": self.names[0], "texts": len(texts), "tokens": tokens}
        return JSONResponse(
            embeddings_shape(asked, asked.model or self.names[0], vectors, tokens=tokens)
        )


def main() -> None:
    parser = arguments("embedding_server", "Serve all-MiniLM-L6-v2 embeddings.")
    model_arguments(parser, MODEL)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    if options.model != MODEL:
        raise UserError(f"--model {options.model!r}; this program serves {MODEL} only")
    names = options.served_name or [MODEL]
    server = EmbeddingServer(SentenceEmbedding(threads=options.threads), names=names)
    serve(server.app(), name="embedding_server", host=options.host, port=options.port)


if __name__ == "__main__":
    entry(main)
