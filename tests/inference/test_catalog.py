"""The catalogue: numbers that agree with each other, and mistakes that are named."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from inference.catalog import Catalog, ModelSpec, default_catalog, load

pytestmark = pytest.mark.unit

MODELS = default_catalog().models
GOOD: dict[str, Any] = MODELS[0].model_dump(by_alias=True)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_the_architecture_adds_up_to_the_published_parameters(model: ModelSpec) -> None:
    error = abs(model.counted_parameters - model.parameters) / model.parameters
    limit = 0.02 if model.kind == "embedding" else 0.001
    assert error < limit, f"counted {model.counted_parameters:,}, published {model.parameters:,}"


def test_the_catalogue_holds_dense_models_and_mixtures_and_an_embedding_model() -> None:
    assert sum(model.experts is None and model.kind == "chat" for model in MODELS) >= 4
    assert sum(model.experts is not None for model in MODELS) >= 3
    assert any(model.kind == "embedding" for model in MODELS)


def test_it_survives_the_journey_to_the_runtime() -> None:
    text = default_catalog().model_dump_json(by_alias=True)
    assert Catalog.model_validate_json(text) == default_catalog()


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean 'gemma-3-270m'"):
        default_catalog().find("gemma-3-270b")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"heads": 7, "kvHeads": 2}, "no multiple"),
        ({"experts": {"total": 2, "active": 3, "hiddenSize": 8}}, "3 active experts of 2"),
        ({"dimension": 384}, "embedding model"),
        ({"windowLayers": 99}, "windowLayers"),
        ({"layer": 18}, "layer"),
        ({"source": "somebody said so"}, "source"),
    ],
)
def test_numbers_that_can_not_be_are_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        ModelSpec.model_validate(GOOD | change)


def test_a_model_stands_once(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="stands twice"):
        Catalog(models=(MODELS[0], MODELS[0]))
    file = tmp_path / "catalog.yaml"
    file.write_text("models: [{name: x}]")
    with pytest.raises(ValidationError, match="repository"):
        load(file)
