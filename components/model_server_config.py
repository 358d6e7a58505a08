"""What a stack decides about one model server."""

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from components.base import ConfigModel
from inference import embedded, tgi, vllm
from inference.catalog import ModelSpec, default_catalog
from inference.engine import Serving
from inference.memory import weight_bytes
from inference.routing import PublicName

Engine = Literal["vllm", "tgi", "llama-cpp", "embedding", "scripted", "external"]
GPU_ENGINES = ("vllm", "tgi")
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
    """vllm · tgi (archived upstream in March 2026: new models belong on vllm) · llama-cpp,
    embedding, scripted (programs of the local plane) · external (somebody else's server)."""
    model: PublicName
    """A model of the catalogue; with `scripted` and `external` any name."""
    served_names: tuple[PublicName, ...] = ()
    """Model names that requests may carry: the public names routed here. Default: `model`."""
    replicas: Annotated[int, Field(ge=0, le=64)] = 1
    """Pods, each with the whole model."""
    gpus: Literal[1, 2, 4, 8] | None = None
    """GPUs of one replica; only for vllm and tgi, which need it."""
    node_pool: str | None = None
    """Karpenter NodePool that the Pods are pinned to."""
    context_tokens: PositiveInt | None = None
    """Default: all that the model supports."""
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
    """Further flags of the engine."""

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        self._only_for("gpus", self.gpus, GPU_ENGINES, needed=True)
        self._only_for("script", self.script, ("scripted",), needed=True)
        self._only_for("host", self.host, ("external",), needed=True)
        self._only_for("port", self.port, ("external",), needed=True)
        if self.engine not in ("scripted", "external"):
            self.serving(self._catalogue_model())
        return self

    def _only_for(
        self, field: str, value: object, engines: tuple[str, ...], *, needed: bool
    ) -> None:
        names = " and ".join(repr(engine) for engine in engines)
        if value is not None and self.engine not in engines:
            raise ValueError(f"{field} belongs to engine {names}, not to {self.engine!r}")
        if needed and value is None and self.engine in engines:
            raise ValueError(f"engine {self.engine!r} needs {field}")

    def _catalogue_model(self) -> ModelSpec:
        model = default_catalog().find(self.model)
        wanted = "embedding" if self.engine == "embedding" else "chat"
        if self.engine in ("embedding", "llama-cpp", "tgi") and model.kind != wanted:
            raise ValueError(
                f"engine {self.engine!r} serves {wanted} models; {model.name!r} is for {model.kind}"
            )
        return model

    def serving(self, model: ModelSpec | None = None) -> Serving:
        """The container's command line; ValueError for what the engine or the model can't do."""
        if self.engine == "scripted":
            names = self.served_names or (self.model,)
            return embedded.scripted(served_names=names, extra_args=self.extra_args)
        found = model or self._catalogue_model()
        if self.engine == "llama-cpp":
            return embedded.llama_cpp(
                found.name, served_names=self.served_names, extra_args=self.extra_args
            )
        if self.engine == "embedding":
            return embedded.embedding(
                found.name, served_names=self.served_names, extra_args=self.extra_args
            )
        if self.engine == "tgi":
            return tgi.serving(
                found,
                gpus=self.gpus or 1,
                weight_bytes=weight_bytes(found),
                context_tokens=self.context_tokens,
                extra_args=self.extra_args,
            )
        return vllm.serving(
            found,
            gpus=self.gpus or 1,
            served_names=self.served_names or (self.model,),
            weight_bytes=weight_bytes(found),
            context_tokens=self.context_tokens,
            extra_args=self.extra_args,
        )
