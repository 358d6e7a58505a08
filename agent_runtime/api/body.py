"""Reading what a client sent, with bounds."""

import json
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent_runtime.errors import RequestError, invalid


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
    """The request's body as a JSON object, or a 400 that says what is wrong with it."""
    body = await request.body()
    try:
        data = json.loads(body)
    except UnicodeDecodeError:
        raise invalid("the body is not UTF-8 text", code="invalid_json") from None
    except RecursionError:
        raise invalid("the body is nested too deeply", code="invalid_json") from None
    except ValueError as error:
        raise invalid(f"the body is not JSON: {error}", code="invalid_json") from None
    if not isinstance(data, dict):
        raise invalid("the body must be a JSON object", code="invalid_json")
    return data


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
