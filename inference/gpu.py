"""What one GPU can hold and move: the numbers of its datasheet."""

from functools import cache
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, PositiveFloat

from inference.data import DataModel

GPUS_FILE = Path(__file__).with_name("gpus.yaml")


class Gpu(DataModel):
    """One kind of GPU."""

    name: str
    memory_gib: PositiveFloat
    """What `nvidia-smi` shows as total, less than the number in the product's name."""
    bandwidth_gb_s: PositiveFloat
    """10^9 bytes a second between the GPU and its memory."""
    bf16_tflops: PositiveFloat
    """10^12 dense operations a second."""
    fp8_tflops: PositiveFloat | None = None
    """The same in fp8; null where the hardware has none."""
    source: Annotated[str, Field(pattern=r"^https://")]


@cache
def known_gpus() -> dict[str, Gpu]:
    """By name."""
    found = yaml.safe_load(GPUS_FILE.read_text())["gpus"]
    return {gpu.name: gpu for gpu in (Gpu.model_validate(item) for item in found)}
