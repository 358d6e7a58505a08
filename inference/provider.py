"""Hosted models: OpenAI-compatible APIs outside of the cluster that a route may fall back to."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from inference.data import DataModel

ObjectName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
HostName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")]
HostedName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,255}$")]
BasePath = Annotated[str, Field(pattern=r"^(/[A-Za-z0-9_.-]+)*$")]

# https://docs.aws.amazon.com/bedrock/latest/userguide/inference-chat-completions.html
_BEDROCK_HOST = "bedrock-runtime.{region}.amazonaws.com"
_BEDROCK_PATH = "/openai/v1"


class Provider(DataModel):
    """A hosted API that speaks the OpenAI protocol."""

    kind: Literal["openai", "bedrock"] = "openai"
    """openai: any API of that form, at `host` · bedrock: Amazon Bedrock in `region`."""
    host: HostName | None = None
    """Host name of the API; follows from the region with kind `bedrock`."""
    port: Annotated[int, Field(ge=1, le=65535)] = 443
    """Port of the API."""
    base_path: BasePath | None = None
    """What stands where clients write `/v1`; default: `/v1`, of Bedrock `/openai/v1`."""
    tls: bool = True
    """Plain HTTP is for servers of one's own network only."""
    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")] | None = None
    """AWS region of kind `bedrock`."""
    key: ObjectName | None = None
    """The API key: the name of the secret's source (file, or entry of Secrets Manager). With
    kind `bedrock` it may be left out where the gateway signs with its Pod's identity."""

    @model_validator(mode="after")
    def _the_kind_has_its_place(self) -> Self:
        if self.kind == "bedrock" and (self.region is None or self.host is not None):
            raise ValueError("kind 'bedrock' needs a region and no host; the host follows from it")
        if self.kind == "openai" and (self.host is None or self.region is not None):
            raise ValueError("kind 'openai' needs a host and no region")
        if self.kind == "openai" and self.key is None and self.tls:
            raise ValueError("kind 'openai' needs a key; name the secret's source")
        return self

    @property
    def address(self) -> str:
        """Host name of the API, whatever its kind."""
        return self.host or _BEDROCK_HOST.format(region=self.region)

    @property
    def path(self) -> str:
        """Base path of the API, whatever its kind."""
        if self.base_path is not None:
            return self.base_path
        return _BEDROCK_PATH if self.kind == "bedrock" else "/v1"


class HostedModel(DataModel):
    """A model of a provider, asked when everything before it in the order failed."""

    provider: ObjectName
    """Name of the provider, a key of `gateway.providers`."""
    model: HostedName
    """The model's name there; it replaces the public one in the request."""
