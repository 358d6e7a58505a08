"""`$(NAME)` and quantities, as Kubernetes defines them."""

from decimal import Decimal

import pytest

from local.node_agent.expansion import expand, expand_all
from local.node_agent.quantities import divided, parse

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://$(HOST):$(PORT)", "http://db:5432"),
        ("$(MISSING)", "$(MISSING)"),
        ("$$(HOST)", "$(HOST)"),
        ("$$$(HOST)", "$db"),
        ("$HOST and ${HOST}", "$HOST and ${HOST}"),
        ("$(HOST", "$(HOST"),
        ("cost: 5$", "cost: 5$"),
        ("$(EMPTY)|", "|"),
    ],
)
def test_references_are_expanded_like_the_kubelet_does(text: str, expected: str) -> None:
    assert expand(text, {"HOST": "db", "PORT": "5432", "EMPTY": ""}) == expected


def test_an_expanded_value_is_not_expanded_again() -> None:
    assert expand_all(["$(A)"], {"A": "$(B)", "B": "no"}) == ["$(B)"]


@pytest.mark.parametrize(
    ("quantity", "value"),
    [
        ("500m", "0.5"),
        ("2", "2"),
        ("1Gi", "1073741824"),
        ("1.5k", "1500"),
        ("2e3", "2000"),
        ("1E", "1000000000000000000"),
        (3, "3"),
    ],
)
def test_quantities_are_exact(quantity: str | int, value: str) -> None:
    assert parse(quantity) == Decimal(value)


@pytest.mark.parametrize("text", ["", "1 Gi", "Gi", "1KiB", "ten"])
def test_a_text_that_is_no_quantity_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="not a Kubernetes quantity"):
        parse(text)


def test_a_divided_quantity_is_rounded_up() -> None:
    assert divided("250m", "1") == "1"
    assert divided("250m", "1m") == "250"
    assert divided("1025Ki", "1Mi") == "2"
