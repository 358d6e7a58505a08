"""What every part of a document shares: its base model and the field types of Kubernetes data."""

import re
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

import agents

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
"""RFC 1123 label: what Kubernetes accepts as the name of a Service."""
DURATION = r"^[1-9][0-9]{0,6}(ms|s|m|h)$"
QUANTITY = r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"

_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class DocumentModel(BaseModel):
    """Frozen data from a document: camelCase there, snake_case here, unknown keys refused."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=agents.described,
        protected_namespaces=(),
    )


def _number_as_text(value: object) -> object:
    """YAML reads `cpu: 1` as a number; Kubernetes takes both, so does a document."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value


ObjectName = Annotated[str, Field(pattern=DNS_LABEL)]
Duration = Annotated[str, Field(pattern=DURATION, examples=["30s"])]
Quantity = Annotated[
    str, BeforeValidator(_number_as_text), Field(pattern=QUANTITY, examples=["512Mi", "250m"])
]


def seconds(duration: str) -> float:
    """The length of a duration such as `500ms`, `30s`, `5m` or `1h`, in seconds."""
    number, unit = re.fullmatch(r"([0-9]+)(ms|s|m|h)", duration).groups()  # type: ignore[union-attr] # Duration's pattern
    return int(number) * _UNIT_SECONDS[unit]


class Metadata(DocumentModel):
    """Name and place of an object."""

    name: ObjectName
    namespace: ObjectName = "ai-agents"
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
