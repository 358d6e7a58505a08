"""The arithmetic of this package beside figures that others published or logged."""

from pathlib import Path
from statistics import median
from typing import Annotated, Literal, NamedTuple

import yaml
from pydantic import Field, PositiveInt

from inference.catalog import default_catalog
from inference.data import DataModel
from inference.memory import bytes_of_parameters, kv_bytes

PUBLISHED_FILE = Path(__file__).with_name("published.yaml")


class Figure(DataModel):
    """One number of somebody else's."""

    model: str
    quantity: Literal["weights", "tokenCache", "cache"]
    bytes: PositiveInt
    tokens: PositiveInt | None = None
    source: Annotated[str, Field(pattern=r"https://")]


class Comparison(NamedTuple):
    """A figure and what this package computes for it."""

    figure: Figure
    computed_bytes: int

    @property
    def error(self) -> float:
        """Share of the published figure; below zero: computed too little."""
        return self.computed_bytes / self.figure.bytes - 1


def comparisons() -> tuple[Comparison, ...]:
    """Every published figure, in the file's order."""
    rows = yaml.safe_load(PUBLISHED_FILE.read_text())["figures"]
    figures = [Figure.model_validate(row) for row in rows]
    return tuple(Comparison(figure, _computed(figure)) for figure in figures)


def median_error(rows: tuple[Comparison, ...]) -> float:
    """Median of the errors' sizes."""
    return median(abs(row.error) for row in rows)


def _computed(figure: Figure) -> int:
    model = default_catalog().find(figure.model)
    if figure.quantity == "weights":
        # From layers and widths alone: a published number of parameters would prove nothing.
        return bytes_of_parameters(model, model.counted_parameters)
    return kv_bytes(model, tokens=figure.tokens or 1)
