"""Which GPUs and which instance a demand needs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.catalog import default_catalog
from inference.gpu import known_gpus
from inference.memory import (
    GIB,
    MEMORY_UTILIZATION,
    kv_bytes,
    kv_copies,
    reserve_bytes,
    weight_bytes,
)
from inference.offers import offers
from inference.sizing import Demand, InstanceOffer, Size, size

pytestmark = pytest.mark.unit

SMALL = InstanceOffer("small", known_gpus()["L4"], 1, 1.0)
LARGE = InstanceOffer("large", known_gpus()["H100"], 8, 50.0, network_gb_s=400.0)


def _size(name: str, context: int, sequences: int, *allowed: InstanceOffer) -> Size:
    return size(default_catalog().find(name), Demand(context, sequences), allowed or (SMALL, LARGE))


def test_a_token_of_llama_3_1_8b_takes_128_kib_of_cache() -> None:
    model = default_catalog().find("llama-3.1-8b-instruct")
    assert kv_bytes(model, tokens=1) == 2 * 32 * 8 * 128 * 2 == 128 * 1024
    assert kv_bytes(model, tokens=1, kv_type="fp8") == 64 * 1024


def test_a_sliding_window_stops_growing() -> None:
    model = default_catalog().find("gpt-oss-20b")
    per_layer_token = 2 * 8 * 64 * 2
    assert kv_bytes(model, tokens=8192) == per_layer_token * (12 * 8192 + 12 * 128)


def test_a_latent_vector_is_kept_by_every_gpu() -> None:
    assert kv_copies(default_catalog().find("deepseek-r1"), 8) == 8
    assert kv_copies(default_catalog().find("qwen3-235b-a22b"), 8) == 2
    assert kv_copies(default_catalog().find("qwen3-32b"), 8) == 1


def test_a_small_model_takes_the_small_instance() -> None:
    found = _size("qwen3-0.6b", 4096, 4)
    assert (found.offer.instance_type, found.gpus, found.usd_per_hour) == ("small", 1, 1.0)


def test_experts_are_spread_where_there_are_several_gpus() -> None:
    assert _size("qwen3-235b-a22b", 8192, 4).expert_parallel
    assert not _size("qwen3-32b", 8192, 64).expert_parallel


def test_a_model_beyond_one_node_takes_several() -> None:
    found = _size("llama-3.1-405b-instruct", 8192, 8)
    assert (found.tensor_parallel, found.pipeline_parallel) == (8, 2)
    assert found.usd_per_hour == 100.0


def test_nodes_without_a_fast_network_are_never_joined() -> None:
    alone = LARGE._replace(network_gb_s=0.0)
    with pytest.raises(ValueError, match=r"the largest allowed, large, gives"):
        _size("llama-3.1-405b-instruct", 8192, 8, alone)


@given(
    name=st.sampled_from([m.name for m in default_catalog().models if m.kind == "chat"]),
    context=st.integers(256, 16384),
    sequences=st.integers(1, 512),
)
def test_what_is_found_fits_and_costs_least(name: str, context: int, sequences: int) -> None:
    model = default_catalog().find(name)
    allowed = offers()
    demand = Demand(context, sequences)
    try:
        found = size(model, demand, allowed)
    except ValueError as error:
        assert "needs" in str(error)  # noqa: PT017 -- either answer is right, which depends
        return
    one = kv_bytes(model, tokens=context) * kv_copies(model, found.tensor_parallel)
    reserve = reserve_bytes(model, tensor_parallel=found.tensor_parallel, sequences=sequences)
    used = weight_bytes(model) + found.gpus * reserve + sequences * one
    assert used <= found.gpus * found.offer.gpu.memory_gib * GIB * MEMORY_UTILIZATION + 1
    assert model.heads % found.tensor_parallel == 0
    assert found.max_sequences >= sequences
    for offer in allowed:
        if offer.usd_per_hour < found.usd_per_hour and found.pipeline_parallel == 1:
            with pytest.raises(ValueError, match="needs"):
                size(model, demand._replace(max_nodes=1), [offer])


def test_more_sequences_never_cost_less() -> None:
    prices = [_size("llama-3.1-8b-instruct", 8192, n, *offers()).usd_per_hour for n in (1, 16, 256)]
    assert prices == sorted(prices)


def test_a_busier_server_makes_cheaper_tokens() -> None:
    model = default_catalog().find("qwen3-32b")
    half = size(model, Demand(8192, 16, utilization=0.5), [LARGE])
    full = size(model, Demand(8192, 16, utilization=1.0), [LARGE])
    assert half.usd_per_million_tokens == pytest.approx(2 * full.usd_per_million_tokens)


def test_what_fits_nowhere_says_how_much_is_missing() -> None:
    with pytest.raises(ValueError, match=r"needs \d+ GiB; the largest allowed, 4 x large, gives"):
        _size("qwen3-235b-a22b", 40960, 5000)


def test_a_context_beyond_the_models_is_refused() -> None:
    with pytest.raises(ValueError, match="supports 40960 tokens"):
        _size("qwen3-32b", 131072, 1)


def test_no_allowed_instance_is_said() -> None:
    with pytest.raises(ValueError, match="no instance type is allowed"):
        size(default_catalog().find("qwen3-32b"), Demand(1024, 1), [])
