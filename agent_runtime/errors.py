"""What can go wrong with a request, in one form that each protocol writes its own way."""

from typing import Any

PROBLEM = "application/problem+json"


class RequestError(Exception):
    """A failure that its caller is told about; `message` holds no secret and no internals."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.retry_after_seconds = retry_after_seconds

    @property
    def kind(self) -> str:
        """The error type in OpenAI's terms."""
        if self.status in (401, 403):
            return "authentication_error" if self.status == 401 else "permission_error"
        if self.status == 429:
            return "rate_limit_error"
        return "invalid_request_error" if self.status < 500 else "server_error"

    def openai(self) -> dict[str, Any]:
        """The body that OpenAI clients expect."""
        return {
            "error": {
                "message": self.message,
                "type": self.kind,
                "code": self.code,
                "param": self.param,
            }
        }

    def problem(self) -> dict[str, Any]:
        """The body of RFC 9457; `code` names the mistake, `param` its place."""
        told = {
            "type": f"urn:agentic:problem:{self.code}",
            "title": self.code.replace("_", " ").capitalize(),
            "status": self.status,
            "detail": self.message,
            "code": self.code,
        }
        return told | ({"param": self.param} if self.param else {})

    def headers(self) -> dict[str, str]:
        found = {}
        if self.retry_after_seconds is not None:
            found["retry-after"] = str(self.retry_after_seconds)
        if self.status == 401:
            found["www-authenticate"] = "Bearer"
        return found


def invalid(
    message: str, *, param: str | None = None, code: str = "invalid_request"
) -> RequestError:
    """The caller's mistake."""
    return RequestError(400, code, message, param=param)


def unavailable(
    message: str, *, code: str = "unavailable", retry_after_seconds: int = 5
) -> RequestError:
    """A part that is down; the same request may succeed later."""
    return RequestError(503, code, message, retry_after_seconds=retry_after_seconds)


def unexpected() -> RequestError:
    """A defect; what it was is for the log."""
    return RequestError(500, "internal_error", "the agent failed; its log says why")
