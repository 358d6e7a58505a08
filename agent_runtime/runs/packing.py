"""Runs as the text that stores keep."""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from agent_runtime.agent.result import RunResult
from agent_runtime.runs.port import Limits, RunError, RunRequest


def dumps(value: Any) -> str:
    """JSON text."""
    return orjson.dumps(value).decode()


def loads(text: str | bytes) -> Any:
    return orjson.loads(text)


def packed_request(request: RunRequest, headers: Mapping[str, str]) -> str:
    """What a worker needs of a request; `headers` continue its trace."""
    return dumps(
        {
            "messages": list(request.messages),
            "roles": list(request.identity.roles),
            "headers": dict(headers),
            "temperature": request.temperature,
            "max_tokens": request.max_tokens,
            "response_format": request.response_format,
            "limits": {name: value for name, value in vars(request.limits).items() if value},
            "chain": list(request.chain),
            "tainted": request.tainted,
            "metadata": dict(request.metadata),
        }
    )


def digest_of(request: RunRequest) -> str:
    """Tells two requests under one idempotency key apart."""
    said = [
        list(request.messages),
        request.session,
        request.identity.user,
        request.temperature,
        request.max_tokens,
        request.response_format,
        # what an asking agent has left is less when it asks again
        {} if len(request.chain) > 1 else vars(request.limits),
    ]
    return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()


def limits_of(request: Mapping[str, Any]) -> Limits:
    return Limits(**request.get("limits", {}))


def result_of(text: str | bytes | None) -> RunResult | None:
    return RunResult(**loads(text)) if text else None


def error_of(text: str | bytes | None) -> RunError | None:
    return RunError(**loads(text)) if text else None
