"""The command line of this package: `size` and `models`."""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from inference.catalog import ModelSpec, default_catalog
from inference.instances import instance_table
from inference.memory import GIB
from inference.offers import offers
from inference.sizing import Demand, Size, size

_CONTEXT_TOKENS = 8192
_SEQUENCES = 16


def main(arguments: Sequence[str] | None = None) -> int:
    """0 done, 2 the asker's mistake, said in one line each."""
    asked = _parser().parse_args(arguments)
    try:
        rows = [_model_row(model) for model in default_catalog().models]
        if asked.command == "size":
            rows = list(_sizes(asked))
    except ValueError as error:
        print(*(f"error: {line}" for line in str(error).splitlines()), sep="\n", file=sys.stderr)
        return 2
    if asked.json:
        print(json.dumps(rows, indent=2))
    else:
        _print_table(rows)
    if asked.command == "size" and not asked.json:
        _print_sources(asked.utilization)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m inference", description="What a model needs, and what that costs."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("models", help="the catalogue")
    sizing = commands.add_parser("size", help="GPUs, instance and price for a model")
    sizing.add_argument("models", nargs="*", metavar="MODEL", help="default: the whole catalogue")
    sizing.add_argument("--context", type=_positive, help=f"tokens; default {_CONTEXT_TOKENS}")
    sizing.add_argument("--concurrency", type=_positive, default=_SEQUENCES, help="sequences")
    sizing.add_argument("--instances", help="allowed types, comma-separated; default: all known")
    sizing.add_argument("--region", help="only types that this region offers")
    sizing.add_argument("--kv", choices=("auto", "fp8"), default="auto", help="KV cache elements")
    sizing.add_argument("--utilization", type=_share, default=0.5, help="of the best rate, 0 to 1")
    sizing.add_argument("--nodes", type=_positive, default=4, help="most nodes of one server")
    for command in (listing, sizing):
        command.add_argument("--json", action="store_true", help="for machines")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share above 0 and up to 1")
    return share


def _sizes(asked: argparse.Namespace) -> Iterable[dict[str, Any]]:
    types = [name.strip() for name in asked.instances.split(",")] if asked.instances else None
    allowed = offers(types, region=asked.region)
    catalog = default_catalog()
    chosen = [catalog.find(name) for name in asked.models]
    problems = []
    for model in chosen or [model for model in catalog.models if model.kind == "chat"]:
        # A default that a model can't hold is cut; a number that was asked for is refused.
        context = asked.context or min(_CONTEXT_TOKENS, model.context_tokens)
        demand = Demand(context, asked.concurrency, asked.kv, asked.utilization, asked.nodes)
        try:
            yield _size_row(model, demand, size(model, demand, allowed))
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ValueError("\n".join(problems))


def _size_row(model: ModelSpec, demand: Demand, found: Size) -> dict[str, Any]:
    nodes = "" if found.pipeline_parallel == 1 else f"{found.pipeline_parallel} x "
    return {
        "model": model.name,
        "instance": nodes + found.offer.instance_type,
        "gpus": f"{found.gpus} x {found.offer.gpu.name}",
        "tensorParallel": found.tensor_parallel,
        "pipelineParallel": found.pipeline_parallel,
        "expertParallel": found.expert_parallel,
        "contextTokens": demand.context_tokens,
        "weightsGib": round(found.weight_bytes / GIB, 1),
        "kvCacheGib": round(found.kv_bytes / GIB, 1),
        "reserveGib": round(found.reserve_bytes / GIB, 1),
        "maxSequences": found.max_sequences,
        "tokensPerSecond": round(found.tokens_per_second),
        "usdPerHour": round(found.usd_per_hour, 2),
        "usdPerMillionTokens": round(found.usd_per_million_tokens, 3),
    }


def _model_row(model: ModelSpec) -> dict[str, Any]:
    return {
        "model": model.name,
        "kind": model.kind,
        "parameters": f"{model.parameters / 1e9:.1f}B",
        "active": f"{model.active_parameters / 1e9:.1f}B",
        "weights": model.weights,
        "contextTokens": model.context_tokens,
        "license": model.license,
        "source": model.source,
    }


def _print_table(rows: list[dict[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for key, value in rows[0].items():
        table.add_column(key, justify="left" if isinstance(value, str) else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    width = None if sys.stdout.isatty() else 240
    Console(width=width).print(table)


def _print_sources(utilization: float) -> None:
    table = instance_table()
    print(
        f"on-demand prices of {table.price_region}, {table.price_date}; tokens at "
        f"{utilization:.0%} of the best rate with all GPUs of the instance in use; "
        "how it is computed: docs/models.md"
    )
