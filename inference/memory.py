"""Bytes that a model takes on GPUs: weights, KV cache, and what the engine keeps for itself.

KV cache for each token and layer: 2 (key and value) x KV heads x head size x bytes of an element;
see "Efficient Memory Management for Large Language Model Serving with PagedAttention" (Kwon et al.,
SOSP 2023, section 3). A layer with a sliding window keeps no more tokens than its window. With
latent attention a token takes one compressed vector and its position (DeepSeek-V2, section 2.1.2).
"""

from typing import Literal

from inference.catalog import BYTES_PER_WEIGHT, ModelSpec

GIB = 1024**3
MEMORY_UTILIZATION = 0.9
"""Share of a GPU that the engine may take; vLLM's default."""
BATCH_TOKENS = 8192
"""Tokens of one prefill step: vLLM's default on data-centre GPUs."""
_CONTEXT_BYTES = int(1.5 * GIB)
"""CUDA context, NCCL buffers and captured graphs; vLLM logs 0.5 to 2 GiB for the graphs alone."""

KvType = Literal["auto", "fp8"]
KV_ELEMENT_BYTES: dict[KvType, int] = {"auto": 2, "fp8": 1}


def weight_bytes(model: ModelSpec) -> int:
    """Bytes of the weights: the published file's where it is known, else counted."""
    if model.weight_bytes:
        return model.weight_bytes
    return bytes_of_parameters(model, model.parameters)


def bytes_of_parameters(model: ModelSpec, parameters: int) -> int:
    """Bytes of `parameters` weights stored as `model` stores its own."""
    experts, rest = model.expert_parameters, parameters - model.expert_parameters
    per_weight = BYTES_PER_WEIGHT[model.weights]
    # Publishers of mxfp4 quantize the experts alone and leave the rest in bfloat16.
    of_rest = BYTES_PER_WEIGHT["bfloat16"] if model.weights == "mxfp4" else per_weight
    return int(experts * per_weight + rest * of_rest)


def kv_bytes(model: ModelSpec, *, tokens: int, kv_type: KvType = "auto") -> int:
    """KV cache of one sequence of `tokens` tokens."""
    full = (model.layers - model.window_layers) * tokens
    windowed = model.window_layers * min(tokens, model.window_tokens or tokens)
    return kv_bytes_per_layer(model, kv_type) * (full + windowed)


def kv_bytes_per_layer(model: ModelSpec, kv_type: KvType = "auto") -> int:
    """KV cache of one token in one layer."""
    if model.latent:
        width = model.latent.kv_rank + model.latent.rope_size
    else:
        width = 2 * model.kv_heads * model.head_size
    return width * KV_ELEMENT_BYTES[kv_type]


def kv_copies(model: ModelSpec, tensor_parallel: int) -> int:
    """How often tensor parallelism stores the same KV cache.

    With more GPUs than KV heads each GPU keeps a copy of its head; a latent vector can't be split.
    """
    if model.latent:
        return tensor_parallel
    return max(1, tensor_parallel // model.kv_heads)


def reserve_bytes(model: ModelSpec, *, tensor_parallel: int, sequences: int) -> int:
    """What one GPU keeps beside weights and cache, at the peak of a prefill step.

    Activations: for each token of the step the residual stream twice and the widest inner layer,
    in two bytes; logits: a float32 for each sequence and word, twice (before and after sampling).
    """
    inner = 2 * _widest_layer(model) // tensor_parallel
    activations = BATCH_TOKENS * (2 * model.hidden_size + inner) * 2
    logits = 2 * 4 * sequences * model.vocabulary
    return _CONTEXT_BYTES + activations + logits


def _widest_layer(model: ModelSpec) -> int:
    """Numbers that one token makes inside a layer."""
    queries = model.heads * model.head_size
    if model.experts is None:
        return max(model.feed_forward_size, queries)
    routed = model.experts.active * model.experts.hidden_size + model.experts.shared_hidden_size
    dense = model.feed_forward_size if model.dense_layers else 0
    return max(routed, dense, queries)
