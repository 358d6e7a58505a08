"""What the gateway says and writes: errors in OpenAI's form, one JSON line for each request."""

from typing import Any

from components.envoy_filters import REQUEST_METADATA
from components.envoy_limits import RESPONSE_METADATA
from inference.routing import MODEL_HEADER, TENANT_HEADER

_TYPE = "type.googleapis.com/envoy"
# A client may send kilobytes of anything here; the JSON form escapes what is left of it.
_MODEL = f"'%REQ({MODEL_HEADER}):128%'"
_WHO = f"tenant '%REQ({TENANT_HEADER})%', model {_MODEL}"
_DETAIL = "%LOCAL_REPLY_BODY%"

_ERRORS: dict[int, tuple[str, str, str]] = {
    400: ("invalid_request_error", "bad_request", _DETAIL),
    401: (
        "invalid_request_error",
        "invalid_api_key",
        f"{_DETAIL} Send 'Authorization: Bearer' with an API key or a token of your tenant.",
    ),
    403: ("invalid_request_error", "permission_denied", f"Not allowed: {_DETAIL} ({_WHO})."),
    404: ("invalid_request_error", "unknown_url", _DETAIL),
    413: ("invalid_request_error", "request_too_large", "The request is larger than is allowed."),
    429: (
        "rate_limit_error",
        "rate_limit_exceeded",
        "The requests or tokens of this tenant are used up; see the x-ratelimit headers.",
    ),
    503: ("server_error", "backend_unavailable", f"No backend answered ({_WHO}): {_DETAIL}"),
    504: ("server_error", "backend_timeout", f"The backend stayed silent too long ({_WHO})."),
}


def local_replies() -> dict[str, Any]:
    """Only what the gateway itself answers; a backend's own errors pass unchanged."""
    others = [_mapper(_status_is(status), *error) for status, error in _ERRORS.items()]
    return {"mappers": [_unknown_model(), _nobody_counts(), *others]}


def _nobody_counts() -> dict[str, Any]:
    """The rate limit service did not answer, and the stack wants no uncounted request."""
    matched = {"response_flag_filter": {"flags": ["RLSE"]}}
    message = "The limits of this tenant can't be counted at the moment; try again later."
    return _mapper(matched, "server_error", "limits_unavailable", message)


def _unknown_model() -> dict[str, Any]:
    """A 404 below `/v1/` to a request that names a model: the routes know no such name."""
    conditions = [
        _status_is(404),
        {"header_filter": {"header": {"name": MODEL_HEADER, "present_match": True}}},
        {"header_filter": {"header": {"name": ":path", "string_match": {"prefix": "/v1/"}}}},
    ]
    message = f"model {_MODEL}: {_DETAIL}"
    matched = {"and_filter": {"filters": conditions}}
    return _mapper(matched, "invalid_request_error", "model_not_found", message)


def _status_is(status: int) -> dict[str, Any]:
    value = {"default_value": status, "runtime_key": f"local_reply.{status}"}
    return {"status_code_filter": {"comparison": {"op": "EQ", "value": value}}}


def _mapper(matched: dict[str, Any], kind: str, code: str, message: str) -> dict[str, Any]:
    error = {"message": message, "type": kind, "param": None, "code": code}
    return {"filter": matched, "body_format_override": {"json_format": {"error": error}}}


def access_log() -> dict[str, Any]:
    """A line on standard output for each request but the health checks'."""
    fields = {
        "time": "%START_TIME%",
        "method": "%REQ(:METHOD)%",
        "path": "%PATH(NQ:ORIG_OR_PATH)%",
        "status": "%RESPONSE_CODE%",
        "duration_ms": "%DURATION%",
        "first_byte_ms": "%RESPONSE_DURATION%",
        "trace_id": "%TRACE_ID%",
        "request_id": "%REQ(X-REQUEST-ID)%",
        "tenant": f"%REQ({TENANT_HEADER})%",
        "model": f"%REQ({MODEL_HEADER})%",
        "body_model": f"%DYNAMIC_METADATA({REQUEST_METADATA}:model)%",
        "cluster": "%UPSTREAM_CLUSTER_RAW%",
        "upstream": "%UPSTREAM_HOST%",
        "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
        "tokens": f"%DYNAMIC_METADATA({RESPONSE_METADATA}:total_tokens)%",
        "prompt_tokens": f"%DYNAMIC_METADATA({RESPONSE_METADATA}:prompt_tokens)%",
        "completion_tokens": f"%DYNAMIC_METADATA({RESPONSE_METADATA}:completion_tokens)%",
        "flags": "%RESPONSE_FLAGS%",
        "details": "%RESPONSE_CODE_DETAILS%",
    }
    return {
        "name": "envoy.access_loggers.stdout",
        "filter": {"not_health_check_filter": {}},
        "typed_config": {
            "@type": f"{_TYPE}.extensions.access_loggers.stream.v3.StdoutAccessLog",
            "log_format": {"json_format": fields},
        },
    }
