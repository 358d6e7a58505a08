"""How much GPU memory a model needs: weights, KV cache, and what the engine keeps for itself.

KV cache for each token and layer: 2 (key and value) x KV heads x head size x bytes of an element;
see "Efficient Memory Management for Large Language Model Serving with PagedAttention" (Kwon et al.,
SOSP 2023, section 3). A layer with a sliding window keeps no more tokens than its window.
"""

from typing import NamedTuple

from inference.catalog import BYTES_PER_WEIGHT, ModelSpec

GIB = 1024**3
ENGINE_RESERVE_BYTES_PER_GPU = 3 * GIB
"""CUDA context, captured graphs and activations of one GPU; vLLM logs 2 to 4 GiB at start."""
MEMORY_UTILIZATION = 0.9
"""Share of a GPU that the engine may take."""
KV_ELEMENT_BYTES = 2
PARALLEL_SIZES = (1, 2, 4, 8)


class GpuModel(NamedTuple):
    """One GPU of an instance type in the architecture's pool."""

    name: str
    memory_gib: int
    instance_type: str
    gpus: int


GPU_MODELS: tuple[GpuModel, ...] = (
    GpuModel("A10G", 24, "g5.48xlarge", 8),
    GpuModel("A100", 40, "p4d.24xlarge", 8),
    GpuModel("H100", 80, "p5.48xlarge", 8),
)
"""Smallest first: the first that fits is the cheapest of the three."""


class Size(NamedTuple):
    """What a model needs on one kind of GPU; bytes are of the whole server, not of one GPU."""

    gpu: GpuModel
    gpus: int
    weight_bytes: int
    kv_bytes: int
    reserve_bytes: int
    max_sequences: int
    """Sequences of the asked length that fit at the same time."""


def weight_bytes(model: ModelSpec) -> int:
    """Bytes of the weights: the published file's where it is known, else counted."""
    if model.weight_bytes:
        return model.weight_bytes
    if model.weights == "mxfp4" and model.experts:
        # Publishers of mxfp4 quantize the experts alone and leave the rest in bfloat16.
        matrices = 3 if model.gated else 2
        experts = (
            model.layers
            * matrices
            * model.hidden_size
            * model.experts.total
            * model.experts.hidden_size
        )
        rest = model.parameters - experts
        return int(experts * BYTES_PER_WEIGHT["mxfp4"] + rest * BYTES_PER_WEIGHT["bfloat16"])
    return int(model.parameters * BYTES_PER_WEIGHT[model.weights])


def kv_bytes(model: ModelSpec, *, tokens: int) -> int:
    """KV cache of one sequence of `tokens` tokens."""
    per_layer_token = 2 * model.kv_heads * model.head_size * KV_ELEMENT_BYTES
    full = (model.layers - model.window_layers) * tokens
    windowed = model.window_layers * min(tokens, model.window_tokens or tokens)
    return per_layer_token * (full + windowed)


def size(
    model: ModelSpec,
    *,
    context_tokens: int,
    sequences: int,
    gpu_models: tuple[GpuModel, ...] = GPU_MODELS,
) -> Size:
    """The smallest GPU and the fewest of them that hold `sequences` full contexts.

    ValueError says how much is missing on the largest.
    """
    if context_tokens > model.context_tokens:
        raise ValueError(
            f"model {model.name!r} supports {model.context_tokens} tokens of context, "
            f"not {context_tokens}"
        )
    for gpu in gpu_models:
        for count in PARALLEL_SIZES:
            found = _fit(model, gpu, count, context_tokens)
            if count <= gpu.gpus and found and found.max_sequences >= sequences:
                return found
    raise ValueError(_missing(model, gpu_models, context_tokens, sequences))


def _fit(model: ModelSpec, gpu: GpuModel, count: int, context_tokens: int) -> Size | None:
    if model.heads % count:
        return None
    weights = weight_bytes(model)
    reserve = count * ENGINE_RESERVE_BYTES_PER_GPU
    # With more GPUs than KV heads each GPU keeps a copy of its head.
    copies = max(1, count // model.kv_heads)
    one = kv_bytes(model, tokens=context_tokens) * copies
    room = int(count * gpu.memory_gib * GIB * MEMORY_UTILIZATION) - weights - reserve
    return Size(gpu, count, weights, max(room, 0), reserve, max(room, 0) // one)


def _missing(
    model: ModelSpec, gpu_models: tuple[GpuModel, ...], context_tokens: int, sequences: int
) -> str:
    largest = max(gpu_models, key=lambda gpu: gpu.memory_gib * gpu.gpus)
    room = int(largest.gpus * largest.memory_gib * MEMORY_UTILIZATION)
    need = (
        weight_bytes(model)
        + sequences * kv_bytes(model, tokens=context_tokens)
        + largest.gpus * ENGINE_RESERVE_BYTES_PER_GPU
    ) / GIB
    return (
        f"model {model.name!r} with {sequences} x {context_tokens} tokens needs {need:.0f} GiB; "
        f"the largest instance, {largest.instance_type}, gives an engine {room} GiB: ask for "
        "fewer sequences, a shorter context or a quantized model"
    )
