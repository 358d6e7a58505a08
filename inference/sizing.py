"""Which GPUs a model needs, how many sequences they hold at once, and what that costs.

Plain arithmetic on `inference.memory` and `inference.throughput`; docs/models.md compares it with
published figures.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from inference.catalog import ModelSpec
from inference.gpu import Gpu
from inference.memory import (
    GIB,
    MEMORY_UTILIZATION,
    KvType,
    kv_bytes,
    kv_copies,
    reserve_bytes,
    weight_bytes,
)
from inference.throughput import decode_tokens_per_second

TENSOR_SIZES = (1, 2, 4, 8)
"""GPUs of one node that may share each layer."""


class InstanceOffer(NamedTuple):
    """One instance type that a pool may start."""

    instance_type: str
    gpu: Gpu
    gpus: int
    usd_per_hour: float
    network_gb_s: float = 0.0
    """Bandwidth between nodes in 10^9 bytes a second; 0: the type can't be one of several nodes."""


class Demand(NamedTuple):
    """What the server has to hold at the same time."""

    context_tokens: int
    """Prompt and answer of the longest sequence."""
    sequences: int
    kv_type: KvType = "auto"
    utilization: float = 0.5
    """Share of its best rate at which the server runs over a day; for the price of a token."""
    max_nodes: int = 4


class Size(NamedTuple):
    """One way to serve a demand; bytes are of the whole server, not of one GPU."""

    offer: InstanceOffer
    tensor_parallel: int
    pipeline_parallel: int
    """Nodes, each with a share of the layers."""
    expert_parallel: bool
    weight_bytes: int
    kv_bytes: int
    """Room for the KV cache."""
    reserve_bytes: int
    max_sequences: int
    """Sequences of the asked length that fit at the same time."""
    tokens_per_second: float
    """Output at best, with the asked number of sequences."""
    usd_per_hour: float
    """Of all nodes, whole instances."""
    usd_per_million_tokens: float

    @property
    def gpus(self) -> int:
        return self.tensor_parallel * self.pipeline_parallel


def size(model: ModelSpec, demand: Demand, offers: Iterable[InstanceOffer]) -> Size:
    """The cheapest way per hour, with the fewest GPUs of it; several nodes only where one can't.

    ValueError says what is asked too much, or how much memory is missing on the largest offer.
    """
    if demand.context_tokens > model.context_tokens:
        raise ValueError(
            f"model {model.name!r} supports {model.context_tokens} tokens of context, "
            f"not {demand.context_tokens}"
        )
    known = list(offers)
    if not known:
        raise ValueError("no instance type is allowed: give a pool at least one with GPUs")
    found = [fit for offer in known for fit in _fits(model, demand, offer)]
    if not found:
        raise ValueError(_missing(model, demand, known))
    return min(
        found,
        key=lambda fit: (
            fit.pipeline_parallel > 1,
            fit.usd_per_hour,
            fit.gpus,
            fit.offer.instance_type,
        ),
    )


def _fits(model: ModelSpec, demand: Demand, offer: InstanceOffer) -> Iterator[Size]:
    """The smallest server on this offer: fewer GPUs of one node first, then more nodes."""
    for tensor, nodes in _shapes(model, demand, offer):
        room = _room(model, demand, offer, tensor, nodes)
        if room.max_sequences >= demand.sequences:
            yield _priced(model, demand, offer, room)
            return


def _shapes(model: ModelSpec, demand: Demand, offer: InstanceOffer) -> Iterator[tuple[int, int]]:
    possible = [count for count in TENSOR_SIZES if count <= offer.gpus and model.heads % count == 0]
    for count in possible:
        yield count, 1
    whole = possible[-1]
    if offer.network_gb_s and whole == offer.gpus:
        for nodes in range(2, demand.max_nodes + 1):
            if nodes <= model.layers:
                yield whole, nodes


class _Room(NamedTuple):
    """What a shape of server leaves for the KV cache."""

    tensor: int
    nodes: int
    weight_bytes: int
    reserve_bytes: int
    kv_bytes: int
    max_sequences: int


def _room(model: ModelSpec, demand: Demand, offer: InstanceOffer, tensor: int, nodes: int) -> _Room:
    gpus = tensor * nodes
    weights = weight_bytes(model)
    reserve = gpus * reserve_bytes(model, tensor_parallel=tensor, sequences=demand.sequences)
    one = kv_bytes(model, tokens=demand.context_tokens, kv_type=demand.kv_type)
    one *= kv_copies(model, tensor)
    left = int(gpus * offer.gpu.memory_gib * GIB * MEMORY_UTILIZATION) - weights - reserve
    return _Room(tensor, nodes, weights, reserve, max(left, 0), max(left, 0) // one)


def _priced(model: ModelSpec, demand: Demand, offer: InstanceOffer, room: _Room) -> Size:
    speed = decode_tokens_per_second(
        model,
        offer.gpu,
        gpus=room.tensor * room.nodes,
        sequences=demand.sequences,
        context_tokens=demand.context_tokens,
        kv_type=demand.kv_type,
    )
    per_hour = offer.usd_per_hour * room.nodes
    # Instances with more GPUs than one server takes run several servers.
    servers = max(1, offer.gpus // room.tensor) if room.nodes == 1 else 1
    tokens_per_hour = speed * servers * demand.utilization * 3600
    return Size(
        offer=offer,
        tensor_parallel=room.tensor,
        pipeline_parallel=room.nodes,
        expert_parallel=model.experts is not None and room.tensor > 1,
        weight_bytes=room.weight_bytes,
        kv_bytes=room.kv_bytes,
        reserve_bytes=room.reserve_bytes,
        max_sequences=room.max_sequences,
        tokens_per_second=speed,
        usd_per_hour=per_hour,
        usd_per_million_tokens=per_hour / tokens_per_hour * 1e6,
    )


def _missing(model: ModelSpec, demand: Demand, offers: list[InstanceOffer]) -> str:
    largest = max(offers, key=lambda offer: offer.gpu.memory_gib * offer.gpus)
    nodes = demand.max_nodes if largest.network_gb_s else 1
    gpus = largest.gpus * nodes
    room = gpus * largest.gpu.memory_gib * MEMORY_UTILIZATION
    tensor = max(count for count in TENSOR_SIZES if count <= largest.gpus)
    reserve = gpus * reserve_bytes(model, tensor_parallel=tensor, sequences=demand.sequences)
    one = kv_bytes(model, tokens=demand.context_tokens, kv_type=demand.kv_type)
    cache = demand.sequences * one * kv_copies(model, tensor)
    need = (weight_bytes(model) + reserve + cache) / GIB
    where = largest.instance_type if nodes == 1 else f"{nodes} x {largest.instance_type}"
    return (
        f"model {model.name!r} with {demand.sequences} x {demand.context_tokens} tokens needs "
        f"{need:.0f} GiB; the largest allowed, {where}, gives an engine {room:.0f} GiB: ask for "
        "fewer sequences, a shorter context, an fp8 KV cache or a quantized model, or allow "
        "larger instances"
    )
