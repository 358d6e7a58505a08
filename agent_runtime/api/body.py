"""Reading what a client sent, with bounds."""

from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent_runtime.api.error_answer import mistake
from agent_runtime.errors import RequestError, invalid

Body = TypeVar("Body", bound=BaseModel)


class BodyLimit:
    """ASGI middleware: the body of a request is at most `max_bytes` long, declared or not."""

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        too_long = declared.isdigit() and int(declared) > self._max
        read = 0

        async def limited() -> Message:
            nonlocal read
            if too_long:
                raise too_large(self._max)
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._max:
                raise too_large(self._max)
            return message

        await self._app(scope, limited, send)


def too_large(limit: int) -> RequestError:
    return RequestError(413, "body_too_large", f"the body is longer than {limit} bytes")


async def json_object(request: Request) -> dict[str, Any]:
    """The request's body as a JSON object, or a 400 that says what is wrong with it.

    Strict: no NaN, no half of a surrogate pair, which no store and no model could take.
    """
    body = await request.body()
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise invalid(_reason(str(error)), code="invalid_json") from None
    if not isinstance(data, dict):
        raise invalid("the body must be a JSON object", code="invalid_json")
    return data


def _reason(error: str) -> str:
    if "UTF-8" in error:
        return "the body is not UTF-8 text"
    if "depth limit" in error:
        return "the body is nested too deeply"
    return f"the body is not JSON: {error}"


async def read_body(request: Request, model: type[Body]) -> Body:
    """The checked body; RequestError names the first mistake and its place."""
    try:
        return model.model_validate(await json_object(request))
    except ValidationError as error:
        raise mistake(error) from None


def documented_body(model: type[BaseModel]) -> dict[str, Any]:
    """The OpenAPI form of a body that the route reads by itself, references written out."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})

    def written_out(value: Any) -> Any:
        if isinstance(value, list):
            return [written_out(each) for each in value]
        if not isinstance(value, dict):
            return value
        if reference := value.get("$ref"):
            return written_out(definitions[reference.rpartition("/")[2]])
        return {key: written_out(each) for key, each in value.items()}

    content = {"application/json": {"schema": written_out(schema)}}
    return {"requestBody": {"required": True, "content": content}}
