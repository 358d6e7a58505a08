"""The base of this package's data: frozen, camelCase in files, unknown keys refused."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class DataModel(BaseModel):
    """Data that a stack file or the catalogue holds; equal data are equal objects."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
        str_strip_whitespace=True,
    )
