"""What a stack decides about one model server."""

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from components.base import ConfigModel
from components.model_scaling_config import ModelScalingConfig
from components.model_weights_config import ModelWeightsConfig
from inference import embedded, sglang, tgi, vllm
from inference.adapter import Adapter
from inference.catalog import ModelSpec, default_catalog
from inference.engine import Serving
from inference.memory import KvType
from inference.options import Options
from inference.routing import PublicName

Engine = Literal["vllm", "sglang", "tgi", "llama-cpp", "embedding", "scripted", "external"]
GPU_ENGINES = ("vllm", "sglang", "tgi")
Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$")]


class Amounts(ConfigModel):
    """CPU and memory, as Kubernetes writes them."""

    cpu: Quantity
    """Cores: `2`, or `500m` for half of one."""
    memory: Quantity
    """Bytes, with a suffix such as `512Mi` or `16Gi`."""


class ModelServerConfig(ConfigModel):
    """One model server; its name, and with it the Service's, is its key in the stack file."""

    engine: Engine
    """vllm · sglang · tgi (archived upstream in March 2026: new models belong on vllm) ·
    llama-cpp, embedding, scripted (programs of the local plane) · external (somebody else's
    server)."""
    model: PublicName
    """A model of the catalogue; with `scripted` and `external` any name."""
    served_names: tuple[PublicName, ...] = ()
    """Model names that requests may carry: the public names routed here. Default: `model`."""
    replicas: Annotated[int, Field(ge=0, le=64)] = 1
    """Servers, each with the whole model; not with `scaling`."""
    scaling: ModelScalingConfig | None = None
    """Servers by waiting requests and full caches, in place of `replicas`; needs KEDA."""
    gpus: Literal[1, 2, 4, 8] | None = None
    """GPUs of one node of one server; only for engines on GPUs, which need it."""
    nodes: Annotated[int, Field(ge=1, le=16)] = 1
    """Nodes that one server spreads the layers over; more than one needs LeaderWorkerSet and is
    for `vllm` only."""
    gpu_claim: str | None = None
    """ResourceClaimTemplate (DRA) that brings the GPUs, in place of the device plugin."""
    node_pool: str | None = None
    """Karpenter NodePool that the Pods are pinned to."""
    context_tokens: PositiveInt | None = None
    """Default: all that the model supports."""
    max_sequences: PositiveInt | None = None
    """Requests in one batch; default: the engine's."""
    kv_cache: KvType = "auto"
    """Elements of the KV cache; `fp8` holds twice as many tokens."""
    quantization: Literal["fp8"] | None = None
    """Convert the weights while they load; default: as they were published."""
    adapters: dict[PublicName, Adapter] = Field(default_factory=dict)
    """LoRA adapters by the model name that requests carry."""
    weights: ModelWeightsConfig = Field(default=ModelWeightsConfig())
    """Where the weights come from."""
    requests: Amounts | None = None
    """Default: by the number of GPUs; small for the programs of the local plane."""
    limits: Amounts | None = None
    """Default: the same memory, and CPU without a limit where the namespace allows it."""
    script: str | None = None
    """Only for `scripted`: its script, as a path in the checkout."""
    host: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")] | None = None
    """Only for `external`: the DNS name behind the Service."""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Only for `external`; the engines have theirs."""
    image: str | None = None
    """Default: the pinned image of the engine."""
    model_secret: str | None = None
    """Secret with key `token` for repositories that ask for one."""
    extra_args: tuple[str, ...] = ()
    """Further flags of the engine; one that vllm or sglang doesn't know is refused."""

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        self._only_for("gpus", self.gpus, GPU_ENGINES, needed=True)
        self._only_for("script", self.script, ("scripted",), needed=True)
        self._only_for("host", self.host, ("external",), needed=True)
        self._only_for("port", self.port, ("external",), needed=True)
        for field in ("scaling", "gpu_claim", "max_sequences", "quantization"):
            self._only_for(field, getattr(self, field), GPU_ENGINES)
        if self.engine not in GPU_ENGINES and (self.nodes > 1 or self.adapters):
            raise ValueError(f"nodes and adapters belong to engine 'vllm', not to {self.engine!r}")
        if self.scaling and "replicas" in self.model_fields_set:
            raise ValueError("replicas and scaling both say how many servers; remove one of them")
        servers = self.scaling.max_replicas if self.scaling else self.replicas
        for problem in self.weights.problems(servers=servers * self.nodes):
            raise ValueError(problem)
        if self.engine not in ("scripted", "external"):
            self.serving()
        return self

    def _only_for(
        self, field: str, value: object, engines: tuple[str, ...], *, needed: bool = False
    ) -> None:
        names = " and ".join(repr(engine) for engine in engines)
        if value is not None and self.engine not in engines:
            raise ValueError(f"{field} belongs to engine {names}, not to {self.engine!r}")
        if needed and value is None and self.engine in engines:
            raise ValueError(f"engine {self.engine!r} needs {field}")

    def catalogue_model(self) -> ModelSpec:
        """ValueError for an unknown name, or a model of the wrong kind for the engine."""
        model = default_catalog().find(self.model)
        wanted = "embedding" if self.engine == "embedding" else "chat"
        if self.engine in ("embedding", "llama-cpp", "tgi") and model.kind != wanted:
            raise ValueError(
                f"engine {self.engine!r} serves {wanted} models; {model.name!r} is for {model.kind}"
            )
        return model

    @property
    def fewest_pods(self) -> int:
        """Pods that must always fit, on all nodes together."""
        return (self.scaling.min_replicas if self.scaling else self.replicas) * self.nodes

    def options(self) -> Options:
        """What this asks of an engine on GPUs."""
        return Options(
            gpus=self.gpus or 1,
            nodes=self.nodes,
            served_names=self.served_names,
            context_tokens=self.context_tokens,
            max_sequences=self.max_sequences,
            kv_type=self.kv_cache,
            quantization=self.quantization,
            adapters=self.adapters,
            source=self.weights.path(self.model),
            extra_args=self.extra_args,
        )

    def serving(self) -> Serving:
        """The container's command line; ValueError for what the engine or the model can't do."""
        names, more = self.served_names, self.extra_args
        if self.engine == "scripted":
            return embedded.scripted(served_names=names or (self.model,), extra_args=more)
        model = self.catalogue_model()
        if self.engine == "llama-cpp":
            return embedded.llama_cpp(model.name, served_names=names, extra_args=more)
        if self.engine == "embedding":
            return embedded.embedding(model.name, served_names=names, extra_args=more)
        engines = {"vllm": vllm.serving, "sglang": sglang.serving, "tgi": tgi.serving}
        return engines[self.engine](model, self.options())
