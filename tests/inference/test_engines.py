"""Command lines and probes of the engines."""

import pytest

from inference import embedded, tgi, vllm
from inference.catalog import default_catalog
from inference.engine import Serving, probes

pytestmark = pytest.mark.unit


def _value(serving: Serving, flag: str) -> str:
    return serving.args[serving.args.index(flag) + 1]


def _vllm(name: str, gpus: int) -> Serving:
    return vllm.serving(
        default_catalog().find(name), gpus=gpus, served_names=("gpt-4", "alias"), weight_bytes=10**9
    )


def test_vllm_serves_the_public_names_on_all_its_gpus() -> None:
    serving = _vllm("gpt-oss-120b", 4)
    assert _value(serving, "--model") == "openai/gpt-oss-120b"
    at = serving.args.index("--served-model-name")
    assert serving.args[at + 1 : at + 3] == ("gpt-4", "alias")
    assert _value(serving, "--tensor-parallel-size") == "4"
    assert _value(serving, "--tool-call-parser") == "openai"
    assert "--enable-auto-tool-choice" in serving.args
    assert "--enable-expert-parallel" in serving.args
    assert serving.port == 8000


def test_a_dense_model_has_no_experts_to_spread() -> None:
    assert "--enable-expert-parallel" not in _vllm("qwen3-32b", 4).args


def test_an_embedding_model_is_served_as_one() -> None:
    serving = _vllm("all-minilm-l6-v2", 1)
    assert _value(serving, "--runner") == "pooling"
    assert _value(serving, "--model") == "sentence-transformers/all-MiniLM-L6-v2"
    assert "--tool-call-parser" not in serving.args


def test_tgi_leaves_room_for_an_answer() -> None:
    model = default_catalog().find("mixtral-8x7b-instruct")
    serving = tgi.serving(model, gpus=8, weight_bytes=10**9)
    assert _value(serving, "--num-shard") == "8"
    assert int(_value(serving, "--max-input-tokens")) < int(_value(serving, "--max-total-tokens"))
    assert serving.port == 8080


def test_heads_that_can_not_be_shared_are_refused() -> None:
    model = default_catalog().find("all-minilm-l6-v2")
    with pytest.raises(ValueError, match="12 attention heads, which 8 GPUs can't share"):
        vllm.check(model, gpus=8, context_tokens=None)


def test_weights_out_of_a_python_package_are_refused() -> None:
    model = default_catalog().find("gemma-3-270m")
    with pytest.raises(ValueError, match="only engine 'llama-cpp' reads"):
        vllm.check(model, gpus=1, context_tokens=None)


def test_larger_weights_are_given_longer_to_load() -> None:
    model = default_catalog().find("qwen3-32b")
    seconds = [
        vllm.serving(model, gpus=4, served_names=(), weight_bytes=size).startup_seconds
        for size in (10**9, 10**11)
    ]
    assert seconds[1] - seconds[0] == pytest.approx(99e9 / 200e6, abs=1)


@pytest.mark.parametrize("seconds", [1, 60, 121, 7 * 60, 3600])
def test_the_startup_probe_waits_at_least_as_long_as_loading_may_take(seconds: int) -> None:
    serving = Serving(command=(), args=(), port=1, startup_seconds=seconds)
    startup = probes(serving)["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= seconds


def test_the_embedded_servers_get_their_served_names() -> None:
    serving = embedded.embedding("all-minilm-l6-v2", served_names=("text-embedding-3-small",))
    assert _value(serving, "--served-name") == "text-embedding-3-small"
    assert "--served-name" not in embedded.llama_cpp("gemma-3-270m", served_names=()).args
