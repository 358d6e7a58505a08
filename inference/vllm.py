"""vLLM: a model's specification → the flags of its OpenAI server.

https://docs.vllm.ai/en/latest/configuration/serve_args/; `flags/vllm.txt` lists what version 0.32
knows, and a slow test hands what is made here to the engine's own parser.
"""

import json
from dataclasses import replace

from inference.catalog import ModelSpec
from inference.engine import Serving
from inference.engine_flags import problems
from inference.memory import MEMORY_UTILIZATION
from inference.options import Options

PORT = 8000
_COMPILE_SECONDS = 600
# https://github.com/kubernetes-sigs/lws/blob/main/docs/concepts: what its Pods find in their env
_LEADER = "$(LWS_LEADER_ADDRESS)"
_RANK = "$(LWS_WORKER_INDEX)"


def serving(model: ModelSpec, options: Options) -> Serving:
    """ValueError, a line each, for what the engine or the model can't do."""
    options.check(model)
    args = (
        *_identity(model, options),
        *_shape(model, options),
        *_features(model, options),
        *_adapters(options),
        *options.extra_args,
    )
    unknown = problems("vllm", args)
    if unknown:
        raise ValueError("\n".join(unknown))
    return Serving(
        command=(),
        args=args,
        port=PORT,
        startup_seconds=options.startup_seconds(model, beside_loading=_COMPILE_SECONDS),
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


def worker(model: ModelSpec, options: Options) -> Serving:
    """The further nodes of a server with several: the same flags, and no HTTP server."""
    leader = serving(model, options)
    return replace(leader, args=(*leader.args, "--headless"), shared_memory=True)


def _identity(model: ModelSpec, options: Options) -> list[str]:
    args = [
        *("--model", options.source or model.repository),
        *("--served-model-name", *options.names(model)),
        *("--host", "0.0.0.0"),  # noqa: S104 -- inside the Pod's own network namespace
        *("--port", str(PORT)),
    ]
    if options.source and options.source.startswith("s3://"):
        # streams tensors into GPU memory while it reads, https://docs.vllm.ai/en/latest/models/extensions/runai_model_streamer/
        args += ["--load-format", "runai_streamer"]
    return args


def _shape(model: ModelSpec, options: Options) -> list[str]:
    args = [
        *("--tensor-parallel-size", str(options.gpus)),
        *("--max-model-len", str(options.context(model))),
        *("--gpu-memory-utilization", str(MEMORY_UTILIZATION)),
    ]
    if options.max_sequences:
        args += ["--max-num-seqs", str(options.max_sequences)]
    if options.kv_type != "auto":
        args += ["--kv-cache-dtype", options.kv_type]
    if options.nodes > 1:
        args += [
            *("--pipeline-parallel-size", str(options.nodes)),
            *("--nnodes", str(options.nodes)),
            *("--node-rank", _RANK),
            *("--master-addr", _LEADER),
        ]
    if model.experts and options.gpus > 1:
        args.append("--enable-expert-parallel")
    return args


def _features(model: ModelSpec, options: Options) -> list[str]:
    if model.kind == "embedding":
        return ["--runner", "pooling"]
    args = ["--enable-prefix-caching", "--enable-chunked-prefill"]
    if options.quantization:
        args += ["--quantization", options.quantization]
    if model.tool_parser:
        args += ["--enable-auto-tool-choice", "--tool-call-parser", model.tool_parser]
    if model.reasoning_parser:
        args += ["--reasoning-parser", model.reasoning_parser]
    return args


def _adapters(options: Options) -> list[str]:
    if not options.adapters:
        return []
    modules = [
        json.dumps({"name": name, "path": adapter.repository, "base_model_name": adapter.base})
        for name, adapter in options.adapters.items()
    ]
    return [
        "--enable-lora",
        *("--max-loras", str(len(options.adapters))),
        *("--max-lora-rank", str(max(adapter.rank for adapter in options.adapters.values()))),
        *("--lora-modules", *modules),
    ]
