"""What tokens cost, where the catalogue knows it."""

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from agent_runtime.agent.completion import Completion
from agent_runtime.settings import SettingsError

if TYPE_CHECKING:
    from inference.catalog import Price

_MILLION = 1_000_000


class Prices:
    """Prices by model name; a model without one costs an unknown amount, not zero."""

    def __init__(self, prices: "dict[str, Price]") -> None:
        self._prices = prices

    @classmethod
    def from_catalog(cls, path: Path) -> "Prices":
        """The price of each model in the mounted catalogue; none where the file is missing.

        Raises SettingsError with one line where the file is no catalogue.
        """
        if not path.is_file():
            return cls({})
        from inference.catalog import Catalog

        try:
            catalog = Catalog.model_validate_json(path.read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            raise SettingsError(f"AGENT_CATALOG={path}: {_first_line(error)}") from None
        return cls({model.name: model.price for model in catalog.models if model.price})

    def cost(self, completion: Completion) -> float | None:
        """US dollars of one answer; None where neither the model that gave it nor the one that was
        asked for has a price."""
        price = self._prices.get(completion.model) or self._prices.get(completion.asked)
        if price is None:
            return None
        cached_price = price.cached_input_usd_per_million_tokens
        if cached_price is None:
            cached_price = price.input_usd_per_million_tokens
        fresh = completion.prompt_tokens - completion.cached_tokens
        spent = fresh * price.input_usd_per_million_tokens + completion.cached_tokens * cached_price
        spent += completion.completion_tokens * price.output_usd_per_million_tokens
        return spent / _MILLION


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc'])) or 'document'}: {first['msg']}"
    return str(error).partition("\n")[0]
