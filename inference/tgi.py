"""Text Generation Inference: a model's specification → the flags of its launcher.

Upstream archived the project in March 2026. It is kept because the architecture names it for
`mixtral-8x7b`; a new model belongs on vLLM.
"""

from collections.abc import Sequence

from inference.catalog import ModelSpec
from inference.engine import Serving
from inference.vllm import check

PORT = 8080
_LOAD_BYTES_PER_SECOND = 200e6
_WARM_UP_SECONDS = 600


def serving(
    model: ModelSpec,
    *,
    gpus: int,
    weight_bytes: int,
    context_tokens: int | None = None,
    extra_args: Sequence[str] = (),
) -> Serving:
    """TGI answers to every model name, so it takes no list of served names."""
    check(model, gpus=gpus, context_tokens=context_tokens)
    total = context_tokens or model.context_tokens
    args = (
        *("--model-id", model.repository),
        *("--hostname", "0.0.0.0"),  # noqa: S104 -- inside the Pod's own network namespace
        *("--port", str(PORT)),
        *("--num-shard", str(gpus)),
        *("--max-total-tokens", str(total)),
        *("--max-input-tokens", str(total - 1)),
    )
    return Serving(
        command=(),
        args=(*args, *extra_args),
        port=PORT,
        startup_seconds=int(_WARM_UP_SECONDS + weight_bytes / _LOAD_BYTES_PER_SECOND),
        env={"HF_HOME": "/models", "HUGGINGFACE_HUB_CACHE": "/models/hub", "HOME": "/models"},
        shared_memory=True,
        cache_dir="/models",
    )
