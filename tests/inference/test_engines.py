"""Command lines and probes of the engines."""

import pytest

from inference import embedded, sglang, tgi, vllm
from inference.adapter import Adapter
from inference.catalog import default_catalog
from inference.engine import Serving, probes
from inference.options import Options

pytestmark = pytest.mark.unit


def _value(serving: Serving, flag: str) -> str:
    return serving.args[serving.args.index(flag) + 1]


def _vllm(name: str, gpus: int) -> Serving:
    options = Options(gpus=gpus, served_names=("gpt-4", "alias"))
    return vllm.serving(default_catalog().find(name), options)


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
    serving = tgi.serving(model, Options(gpus=8))
    assert _value(serving, "--num-shard") == "8"
    assert int(_value(serving, "--max-input-tokens")) < int(_value(serving, "--max-total-tokens"))
    assert serving.port == 8080


def test_heads_that_can_not_be_shared_are_refused() -> None:
    model = default_catalog().find("all-minilm-l6-v2")
    with pytest.raises(ValueError, match="12 attention heads, which 8 GPUs can't share"):
        vllm.serving(model, Options(gpus=8))


def test_weights_out_of_a_python_package_are_refused() -> None:
    model = default_catalog().find("gemma-3-270m")
    with pytest.raises(ValueError, match="only engine 'llama-cpp' reads"):
        vllm.serving(model, Options())


def test_larger_weights_are_given_longer_to_load() -> None:
    small, large = (_vllm(name, 8) for name in ("qwen3-32b", "qwen3-235b-a22b"))
    more = 2 * (235093634560 - 32762123264)
    assert large.startup_seconds - small.startup_seconds == pytest.approx(more / 200e6, abs=1)


def test_every_model_with_weights_has_flags_for_vllm_and_sglang() -> None:
    for model in default_catalog().models:
        if model.repository.startswith("pypi:"):
            continue
        assert vllm.serving(model, Options(gpus=1)).port == 8000
        assert sglang.serving(model, Options(gpus=1)).command[-1] == "sglang.launch_server"


def test_a_server_of_several_nodes_names_its_leader_and_its_rank() -> None:
    model = default_catalog().find("llama-3.1-405b-instruct")
    options = Options(gpus=8, nodes=2)
    leader, follower = vllm.serving(model, options), vllm.worker(model, options)
    assert _value(leader, "--pipeline-parallel-size") == "2"
    assert _value(leader, "--master-addr") == "$(LWS_LEADER_ADDRESS)"
    assert _value(leader, "--node-rank") == "$(LWS_WORKER_INDEX)"
    assert set(follower.args) - set(leader.args) == {"--headless"}


def test_adapters_are_held_beside_their_base() -> None:
    model = default_catalog().find("qwen3-8b")
    adapter = Adapter(repository="acme/support-lora", base="qwen3-8b", rank=32)
    serving = vllm.serving(model, Options(adapters={"support": adapter}))
    assert "--enable-lora" in serving.args
    assert _value(serving, "--max-lora-rank") == "32"
    assert '"name": "support", "path": "acme/support-lora"' in _value(serving, "--lora-modules")
    assert _value(
        sglang.serving(model, Options(adapters={"support": adapter})), "--lora-paths"
    ) == ("support=acme/support-lora")


def test_every_mistake_is_named_at_once() -> None:
    model = default_catalog().find("qwen3-32b")
    foreign = Adapter(repository="acme/x", base="qwen3-8b")
    wrong = Options(gpus=3, context_tokens=10**6, adapters={"x": foreign})
    with pytest.raises(ValueError, match="adapter 'x'") as refused:
        vllm.serving(model, wrong)
    lines = str(refused.value).splitlines()
    assert lines == [
        "adapter 'x' was trained on 'qwen3-8b', not on 'qwen3-32b': serve it from a server of "
        "its own base",
        "model 'qwen3-32b' has 64 attention heads, which 3 GPUs can't share evenly; allowed: "
        "1, 2, 4, 8, 16",
        "model 'qwen3-32b' supports 40960 tokens of context, not 1000000",
    ]


@pytest.mark.parametrize("engine", [vllm, sglang, tgi])
def test_a_flag_that_the_engine_does_not_know_is_refused(engine: object) -> None:
    model = default_catalog().find("qwen3-8b")
    options = Options(extra_args=("--max-num-seq", "8"))
    with pytest.raises(ValueError, match=r"has no flag --max-num-seq; (did you mean|see)"):
        engine.serving(model, options)  # type: ignore[attr-defined] # two modules of one form


def test_parts_of_structured_flags_are_known() -> None:
    model = default_catalog().find("qwen3-8b")
    more = ("--speculative-config.method", "ngram", "--no-enable-prefix-caching")
    assert vllm.serving(model, Options(extra_args=more)).args[-3:] == more


def test_what_tgi_can_not_do_is_refused() -> None:
    model = default_catalog().find("mixtral-8x7b-instruct")
    with pytest.raises(ValueError, match="engine 'tgi' has no nodes, kvCache; engine 'vllm' has"):
        tgi.serving(model, Options(gpus=8, nodes=2, kv_type="fp8"))


def test_a_quantization_that_tgi_does_not_have_is_refused() -> None:
    model = default_catalog().find("mixtral-8x7b-instruct")
    assert _value(tgi.serving(model, Options(gpus=2, quantization="awq")), "--quantize") == "awq"
    with pytest.raises(ValueError, match="no quantization 'mxfp4'; it has awq"):
        tgi.serving(model, Options(gpus=2, quantization="mxfp4"))


def test_weights_in_a_bucket_are_streamed() -> None:
    model = default_catalog().find("qwen3-8b")
    serving = vllm.serving(model, Options(source="s3://models/qwen3-8b"))
    assert _value(serving, "--model") == "s3://models/qwen3-8b"
    assert _value(serving, "--load-format") == "runai_streamer"


@pytest.mark.parametrize("seconds", [1, 60, 121, 7 * 60, 3600])
def test_the_startup_probe_waits_at_least_as_long_as_loading_may_take(seconds: int) -> None:
    serving = Serving(command=(), args=(), port=1, startup_seconds=seconds)
    startup = probes(serving)["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= seconds


def test_the_embedded_servers_get_their_served_names() -> None:
    serving = embedded.embedding("all-minilm-l6-v2", served_names=("text-embedding-3-small",))
    assert _value(serving, "--served-name") == "text-embedding-3-small"
    assert "--served-name" not in embedded.llama_cpp("gemma-3-270m", served_names=()).args
