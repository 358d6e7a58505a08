"""The arithmetic beside figures that publishers and engines' logs give."""

import pytest

from inference.published import Comparison, comparisons, median_error

pytestmark = pytest.mark.unit


def test_at_least_ten_models_are_compared() -> None:
    assert len({row.figure.model for row in comparisons()}) >= 10


def test_the_median_error_is_below_ten_percent() -> None:
    assert median_error(comparisons()) <= 0.10


@pytest.mark.parametrize(
    "row", comparisons(), ids=lambda row: f"{row.figure.model}-{row.figure.quantity}"
)
def test_no_single_figure_is_far_off(row: Comparison) -> None:
    assert abs(row.error) <= 0.10
