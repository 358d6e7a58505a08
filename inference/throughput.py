"""How many tokens a second a server can make at best, from memory bandwidth and arithmetic rate.

A decode step reads every weight that its tokens use once, and every sequence's KV cache; it takes
as long as the slower of reading and computing ("Efficiently Scaling Transformer Inference", Pope et
al. 2022, https://arxiv.org/abs/2211.05102, section 2). Real servers reach a part of both rates.
"""

from inference.catalog import ModelSpec
from inference.gpu import Gpu
from inference.memory import KvType, kv_bytes, weight_bytes

BANDWIDTH_SHARE = 0.6
"""Measured share of the memory bandwidth in decoding, https://www.databricks.com/blog/llm-inference-performance-engineering-best-practices."""
ARITHMETIC_SHARE = 0.4
"""The same for arithmetic; an assumption, since decoding is seldom bound by it."""


def decode_tokens_per_second(
    model: ModelSpec,
    gpu: Gpu,
    *,
    gpus: int,
    sequences: int,
    context_tokens: int,
    kv_type: KvType = "auto",
) -> float:
    """Output tokens a second of one server, `sequences` at once, each at half of its context."""
    cache = sequences * kv_bytes(model, tokens=max(context_tokens // 2, 1), kv_type=kv_type)
    read = weight_bytes(model) * _weights_used(model, sequences) + cache
    reading = read / (gpus * gpu.bandwidth_gb_s * 1e9 * BANDWIDTH_SHARE)
    native_fp8 = model.weights == "fp8" and gpu.fp8_tflops
    rate = gpu.fp8_tflops if native_fp8 and gpu.fp8_tflops else gpu.bf16_tflops
    operations = 2 * model.active_parameters * sequences
    computing = operations / (gpus * rate * 1e12 * ARITHMETIC_SHARE)
    return sequences / max(reading, computing)


def _weights_used(model: ModelSpec, sequences: int) -> float:
    """Share of the weights that a step of `sequences` tokens touches.

    Each token picks its experts by itself: of all experts 1 - (1 - active/total)^sequences are
    expected to be picked at least once.
    """
    if model.experts is None:
        return 1.0
    share = model.experts.active / model.experts.total
    picked = 1 - (1 - share) ** sequences
    routed = model.expert_parameters / model.counted_parameters
    return 1 - routed + routed * picked
