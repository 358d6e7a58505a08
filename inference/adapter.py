"""LoRA adapters: small changes to a model that one server holds beside it."""

from typing import Annotated, Literal

from pydantic import Field

from inference.catalog import ModelSpec
from inference.data import DataModel

Rank = Literal[1, 8, 16, 32, 64, 128, 256, 320, 512]
"""What vLLM allocates for, https://docs.vllm.ai/en/latest/features/lora/."""


class Adapter(DataModel):
    """One adapter; its key in the data is the model name that requests carry."""

    repository: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:-]{2,255}$")]
    """Hugging Face repository, or a path inside the container."""
    base: str
    """Model of the catalogue that it was trained on."""
    rank: Rank = 16
    """Its `r`; the server keeps room for the largest."""

    def problem(self, name: str, model: ModelSpec) -> str | None:
        """Why `model` can't carry it."""
        if self.base == model.name:
            return None
        return (
            f"adapter {name!r} was trained on {self.base!r}, not on {model.name!r}: "
            "serve it from a server of its own base"
        )
