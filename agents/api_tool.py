"""Tools that call an HTTP or gRPC API: written out one by one, or imported from OpenAPI."""

import re
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from agents import json_path
from agents.model import DocumentModel, Duration, seconds
from agents.tool_base import (
    Authentication,
    FunctionName,
    SideEffect,
    ToolBase,
    ToolName,
    refuses_parameters,
)

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
IDEMPOTENT_METHODS = ("GET", "PUT", "DELETE")
"""RFC 9110, section 9.2.2."""
_GRPC_PATH = re.compile(r"/[A-Za-z_][A-Za-z0-9_.]*/[A-Za-z_][A-Za-z0-9_]*")


def fixed_host(endpoint: str) -> str:
    """Refuse an address whose host could be chosen by a model, or that carries a password."""
    try:
        parts = urlsplit(endpoint)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"{endpoint!r} is no URL: {error}") from None
    if not host or "{" in parts.netloc or parts.username or parts.password:
        raise ValueError("the endpoint needs a fixed host, without user, password or braces")
    return endpoint


class ApiLimits(DocumentModel):
    """How long a call may take, and how much of its answer is kept."""

    timeout: Duration = "30s"
    max_response_bytes: Annotated[int, Field(ge=256, le=1_048_576)] = 65_536
    """What is longer is cut, and the model is told so."""
    max_redirects: Annotated[int, Field(ge=0, le=3)] = 0
    """Redirects followed by a call that only reads; each new address is checked like the first,
    and the credential stays with the first host."""


class ApiConfig(ApiLimits):
    """An HTTP endpoint that takes and gives JSON, or one method of a gRPC service."""

    endpoint: Annotated[str, Field(pattern=r"^(https?|grpcs?)://[^\s]+$", max_length=2048)]
    """May hold `{name}` of a path parameter; the host is always written out here.
    gRPC: `grpc://host:port/package.Service/Method`, `grpcs` with TLS."""
    method: Method = "POST"
    """Of HTTP; without meaning for gRPC."""
    select: str | None = None
    """JSONPath of the part of the answer that the model gets, such as `$.items[*].name`."""
    idempotent: bool | None = None
    """Whether a failed call may be made again: the service honours the header `Idempotency-Key`,
    or repeats without harm. Default: by the method (GET, PUT, DELETE) or when it only reads."""
    descriptor_set: str | None = None
    """gRPC only: a FileDescriptorSet in base64, or the path of a mounted file of it. Default: the
    server is asked by reflection."""

    @property
    def grpc(self) -> bool:
        return self.endpoint.startswith("grpc")

    @field_validator("select")
    @classmethod
    def _select_is_readable(cls, value: str | None) -> str | None:
        if value is not None:
            json_path.parse(value)
        return value

    @model_validator(mode="after")
    def _endpoint_is_usable(self) -> Self:
        fixed_host(self.endpoint)
        if self.descriptor_set is not None and not self.grpc:
            raise ValueError("descriptorSet is for gRPC; the endpoint is an HTTP one")
        if self.grpc and not _GRPC_PATH.fullmatch(urlsplit(self.endpoint).path):
            raise ValueError("a gRPC endpoint is grpc://host:port/package.Service/Method")
        return self


class ApiToolSpec(ToolBase):
    """Calls an external REST or gRPC API."""

    type: Literal["api"]
    config: ApiConfig
    authentication: Authentication | None = None

    @property
    def effect(self) -> SideEffect:
        reads = self.config.method == "GET" and not self.config.grpc
        return self.side_effect or ("read" if reads else "write")

    @property
    def idempotent(self) -> bool:
        if self.config.idempotent is not None:
            return self.config.idempotent
        by_method = not self.config.grpc and self.config.method in IDEMPOTENT_METHODS
        return self.effect == "read" or by_method

    @model_validator(mode="after")
    def _endpoint_parameters_are_declared(self) -> Self:
        declared = {parameter.name for parameter in self.parameters or ()}
        for name in re.findall(r"{([^{}]*)}", self.config.endpoint):
            if name not in declared:
                raise ValueError(
                    f"the endpoint holds {{{name}}} but no parameter of that name is declared"
                )
        return self


class ApiTool(ApiToolSpec):
    """An api tool with its name, as an agent lists it."""

    name: ToolName

    @property
    def timeout_seconds(self) -> float:
        return seconds(self.config.timeout)


class ImportedApiTool(ApiTool):
    """One operation of an OpenAPI document."""

    name: FunctionName


class OpenApiConfig(ApiLimits):
    """An OpenAPI 3 document and the operations of it that become tools."""

    document: Annotated[str, Field(min_length=1, max_length=2048)] | None = None
    """A mounted file, or an https URL; give this or `inline`."""
    inline: dict[str, Any] | None = None
    """The document itself."""
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")] | None = None
    """Of the document's bytes; another document is then refused."""
    operations: Annotated[tuple[str, ...], Field(min_length=1, max_length=64)]
    """The operationIds that become tools; all others stay out."""
    server: Annotated[str, Field(pattern=r"^https?://[^\s]+$", max_length=2048)] | None = None
    """Base of every path. Default: the document's first server."""

    @model_validator(mode="after")
    def _one_document(self) -> Self:
        if (self.document is None) == (self.inline is None):
            raise ValueError("give either document or inline")
        if self.document and "://" in self.document and not self.document.startswith("https://"):
            raise ValueError(f"document {self.document!r} must be a file or an https URL")
        if self.server:
            fixed_host(self.server)
        return self


class OpenApiToolSpec(ToolBase):
    """Operations of an OpenAPI document, each a function named `<tool>_<operationId>`."""

    type: Literal["openapi"]
    config: OpenApiConfig
    authentication: Authentication | None = None

    @property
    def effect(self) -> SideEffect:
        return self.side_effect or "write"

    @model_validator(mode="after")
    def _brings_parameters(self) -> Self:
        return refuses_parameters(self, "they come from the OpenAPI document")


class OpenApiTool(OpenApiToolSpec):
    """An openapi tool with its name, as an agent lists it."""

    name: ToolName

    @property
    def timeout_seconds(self) -> float:
        return seconds(self.config.timeout)
