"""Cost from the catalogue that the platform mounts."""

from pathlib import Path

import pytest

from agent_runtime.agent.completion import Completion
from agent_runtime.agent.pricing import Prices
from agent_runtime.settings import SettingsError
from inference.catalog import Catalog, Price, default_catalog

pytestmark = pytest.mark.unit


def test_tokens_cost_what_the_mounted_catalogue_says(tmp_path: Path) -> None:
    first, second, *_ = default_catalog().models
    price = Price(input_usd_per_million_tokens=2.0, output_usd_per_million_tokens=8.0)
    priced = first.model_copy(update={"price": price})
    free = second.model_copy(update={"price": None})
    path = tmp_path / "catalog.json"
    path.write_text(Catalog(models=(priced, free)).model_dump_json(by_alias=True))
    prices = Prices.from_catalog(path)
    answer = Completion(first.name, prompt_tokens=1_000_000, completion_tokens=500_000)
    assert prices.cost(answer) == pytest.approx(6.0)
    assert prices.cost(Completion(second.name, prompt_tokens=1_000_000)) is None


def test_without_a_catalogue_nothing_is_priced(tmp_path: Path) -> None:
    assert Prices.from_catalog(tmp_path / "none.json").cost(Completion("m")) is None


def test_an_answer_of_a_dated_model_costs_what_the_model_asked_for_costs() -> None:
    price = Price(input_usd_per_million_tokens=2.0, output_usd_per_million_tokens=8.0)
    answer = Completion("gpt-4-turbo", prompt_tokens=1_000_000)
    answer.add({"model": "gpt-4-turbo-2024-04-09", "choices": []})
    assert answer.model == "gpt-4-turbo-2024-04-09"
    assert Prices({"gpt-4-turbo": price}).cost(answer) == pytest.approx(2.0)


def test_input_from_the_providers_cache_has_a_price_of_its_own() -> None:
    same = Price(input_usd_per_million_tokens=2.0, output_usd_per_million_tokens=8.0)
    cheaper = same.model_copy(update={"cached_input_usd_per_million_tokens": 0.5})
    answer = Completion("m", prompt_tokens=1_000_000, cached_tokens=400_000)
    assert Prices({"m": same}).cost(answer) == pytest.approx(2.0)
    assert Prices({"m": cheaper}).cost(answer) == pytest.approx(1.4)


def test_a_catalogue_that_is_none_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "catalog.json"
    path.write_text('{"models": [{"name": "x"}]}')
    with pytest.raises(SettingsError, match="AGENT_CATALOG=") as caught:
        Prices.from_catalog(path)
    assert "\n" not in str(caught.value)
