"""SGLang: a model's specification → the flags of its OpenAI server.

https://docs.sglang.ai/advanced_features/server_arguments.html; `flags/sglang.txt` lists what
version 0.5.23 declares.
"""

from inference.catalog import ModelSpec
from inference.engine import Serving
from inference.engine_flags import problems
from inference.options import Options

PORT = 8000
MEMORY_SHARE = 0.85
"""Of a GPU, for weights and KV cache together; the engine keeps the rest for its graphs."""
_WARM_UP_SECONDS = 600
# the catalogue holds vLLM's names
TOOL_PARSERS = {
    "hermes": "qwen25",
    "llama3_json": "llama3",
    "openai": "gpt-oss",
    "mistral": "mistral",
    "deepseek_v3": "deepseekv3",
}
REASONING_PARSERS = {"qwen3": "qwen3", "openai_gptoss": "gpt-oss", "deepseek_r1": "deepseek-r1"}


def serving(model: ModelSpec, options: Options) -> Serving:
    """ValueError, a line each, for what the engine or the model can't do."""
    options.check(model)
    if options.nodes > 1:
        raise ValueError("engine 'sglang' is rendered for one node here; engine 'vllm' takes more")
    args = (*_base(model, options), *_features(model, options), *options.extra_args)
    unknown = problems("sglang", args)
    if unknown:
        raise ValueError("\n".join(unknown))
    return Serving(
        command=("python3", "-m", "sglang.launch_server"),
        args=args,
        port=PORT,
        startup_seconds=options.startup_seconds(model, beside_loading=_WARM_UP_SECONDS),
        env={"HF_HOME": "/models", "HOME": "/models", "USER": "sglang"},
        shared_memory=True,
        cache_dir="/models",
    )


def _base(model: ModelSpec, options: Options) -> list[str]:
    args = [
        *("--model-path", options.source or model.repository),
        # one name only: SGLang answers to every model name
        *("--served-model-name", options.names(model)[0]),
        *("--host", "0.0.0.0"),  # noqa: S104 -- inside the Pod's own network namespace
        *("--port", str(PORT)),
        *("--tp-size", str(options.gpus)),
        *("--context-length", str(options.context(model))),
        *("--mem-fraction-static", str(MEMORY_SHARE)),
        "--enable-metrics",
    ]
    if model.experts and options.gpus > 1:
        args += ["--ep-size", str(options.gpus)]
    if options.max_sequences:
        args += ["--max-running-requests", str(options.max_sequences)]
    if options.kv_type == "fp8":
        args += ["--kv-cache-dtype", "fp8_e5m2"]
    return args


def _features(model: ModelSpec, options: Options) -> list[str]:
    if model.kind == "embedding":
        return ["--is-embedding"]
    args = []
    if options.quantization:
        args += ["--quantization", options.quantization]
    if model.tool_parser:
        args += ["--tool-call-parser", TOOL_PARSERS[model.tool_parser]]
    if model.reasoning_parser:
        args += ["--reasoning-parser", REASONING_PARSERS[model.reasoning_parser]]
    if options.adapters:
        paths = [f"{name}={adapter.repository}" for name, adapter in options.adapters.items()]
        rank = max(adapter.rank for adapter in options.adapters.values())
        args += ["--enable-lora", "--max-lora-rank", str(rank), "--lora-paths", *paths]
    return args
