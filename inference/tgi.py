"""Text Generation Inference: a model's specification → the flags of its launcher.

Upstream archived the project in March 2026. It is kept because the architecture names it for
`mixtral-8x7b`; a new model belongs on vLLM.
"""

from inference.catalog import ModelSpec
from inference.engine import Serving
from inference.engine_flags import problems
from inference.options import Options

PORT = 8080
_WARM_UP_SECONDS = 600
QUANTIZATIONS = (
    *("awq", "bitsandbytes", "bitsandbytes-fp4", "bitsandbytes-nf4", "compressed-tensors"),
    *("eetq", "exl2", "fp8", "gptq", "marlin"),
)
"""What `--quantize` takes in version 3.3.6."""


def serving(model: ModelSpec, options: Options) -> Serving:
    """TGI answers to every model name, so `served_names` are not its business.

    ValueError, a line each, for what the engine or the model can't do.
    """
    options.check(model)
    refused = {
        "nodes": options.nodes > 1,
        "kvCache": options.kv_type != "auto",
        "adapters": bool(options.adapters),
    }
    if any(refused.values()):
        fields = ", ".join(name for name, asked in refused.items() if asked)
        raise ValueError(f"engine 'tgi' has no {fields}; engine 'vllm' has")
    total = options.context(model)
    args = [
        *("--model-id", options.source or model.repository),
        *("--hostname", "0.0.0.0"),  # noqa: S104 -- inside the Pod's own network namespace
        *("--port", str(PORT)),
        *("--num-shard", str(options.gpus)),
        *("--max-total-tokens", str(total)),
        *("--max-input-tokens", str(total - 1)),
    ]
    if options.max_sequences:
        args += ["--max-concurrent-requests", str(options.max_sequences)]
    if options.quantization:
        args += ["--quantize", options.quantization]
    args += options.extra_args
    unknown = _unknown(options, args)
    if unknown:
        raise ValueError("\n".join(unknown))
    return Serving(
        command=(),
        args=tuple(args),
        port=PORT,
        startup_seconds=options.startup_seconds(model, beside_loading=_WARM_UP_SECONDS),
        env={"HF_HOME": "/models", "HUGGINGFACE_HUB_CACHE": "/models/hub", "HOME": "/models"},
        shared_memory=True,
        cache_dir="/models",
    )


def _unknown(options: Options, args: list[str]) -> list[str]:
    """A line for each flag, and for the quantization, that the launcher would refuse."""
    lines = problems("tgi", args)
    if options.quantization and options.quantization not in QUANTIZATIONS:
        allowed = ", ".join(QUANTIZATIONS)
        lines.append(f"engine 'tgi' has no quantization {options.quantization!r}; it has {allowed}")
    return lines
