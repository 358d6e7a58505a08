"""Memory of a model: checked against figures that its publisher or the engine's log gives."""

import pytest

from inference.catalog import default_catalog
from inference.sizing import GIB, GPU_MODELS, kv_bytes, size, weight_bytes

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("name", "published_gb", "tolerance"),
    [
        # sizes of the weight files in the publishers' repositories, in 10^9 bytes
        ("llama-3.1-8b-instruct", 16.07, 0.01),
        ("llama-3.3-70b-instruct", 141.1, 0.01),
        ("mixtral-8x7b-instruct", 93.4, 0.01),
        ("qwen3-32b", 65.5, 0.01),
        ("qwen3-235b-a22b", 470.2, 0.01),
        ("gpt-oss-20b", 13.8, 0.05),
        ("gpt-oss-120b", 65.2, 0.05),
        ("gemma-3-270m", 0.2531, 0.001),
    ],
)
def test_weights_match_the_published_files(
    name: str, published_gb: float, tolerance: float
) -> None:
    assert weight_bytes(default_catalog().find(name)) / 1e9 == pytest.approx(
        published_gb, rel=tolerance
    )


def test_a_token_of_llama_3_1_8b_takes_128_kib_of_cache() -> None:
    model = default_catalog().find("llama-3.1-8b-instruct")
    assert kv_bytes(model, tokens=1) == 2 * 32 * 8 * 128 * 2 == 128 * 1024


def test_a_sliding_window_stops_growing() -> None:
    model = default_catalog().find("gpt-oss-20b")
    per_layer_token = 2 * 8 * 64 * 2
    assert kv_bytes(model, tokens=8192) == per_layer_token * (12 * 8192 + 12 * 128)


def test_the_smallest_gpus_that_fit_are_found() -> None:
    found = size(default_catalog().find("llama-3.3-70b-instruct"), context_tokens=8192, sequences=8)
    assert found.gpu.memory_gib * found.gpus * 0.9 * GIB >= found.weight_bytes + found.kv_bytes
    assert found.max_sequences >= 8
    smaller = [gpu for gpu in GPU_MODELS if gpu.memory_gib < found.gpu.memory_gib]
    for gpu in smaller:
        with pytest.raises(ValueError, match="needs"):
            size(
                default_catalog().find("llama-3.3-70b-instruct"),
                context_tokens=8192,
                sequences=8,
                gpu_models=(gpu,),
            )


def test_more_sequences_never_need_less() -> None:
    model = default_catalog().find("llama-3.1-8b-instruct")
    gpus = [
        (found.gpu.memory_gib * found.gpus, found.gpus)
        for found in (size(model, context_tokens=8192, sequences=n) for n in (1, 16, 64, 256))
    ]
    assert gpus == sorted(gpus)


def test_what_fits_nowhere_says_how_much_is_missing() -> None:
    model = default_catalog().find("qwen3-235b-a22b")
    with pytest.raises(ValueError, match=r"needs \d+ GiB; the largest instance, p5.48xlarge"):
        size(model, context_tokens=40960, sequences=500)


def test_a_context_beyond_the_models_is_refused() -> None:
    with pytest.raises(ValueError, match="supports 40960 tokens"):
        size(default_catalog().find("qwen3-32b"), context_tokens=131072, sequences=1)
