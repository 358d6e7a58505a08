"""What tokens cost, where the catalogue knows it."""

from pathlib import Path

from agent_runtime.agent.completion import Completion
from inference.catalog import Catalog, Price

_MILLION = 1_000_000


class Prices:
    """Prices by model name; a model without one costs an unknown amount, not zero."""

    def __init__(self, prices: dict[str, Price]) -> None:
        self._prices = prices

    @classmethod
    def from_catalog(cls, path: Path) -> "Prices":
        """The price of each model in the mounted catalogue; none where the file is missing."""
        if not path.is_file():
            return cls({})
        catalog = Catalog.model_validate_json(path.read_text(encoding="utf-8"))
        return cls({model.name: model.price for model in catalog.models if model.price})

    def cost(self, completion: Completion) -> float | None:
        """US dollars of one answer; None where the model that gave it has no price."""
        price = self._prices.get(completion.model)
        if price is None:
            return None
        spent = completion.prompt_tokens * price.input_usd_per_million_tokens
        spent += completion.completion_tokens * price.output_usd_per_million_tokens
        return spent / _MILLION
