"""kagent's controller (0.10): its REST endpoints for sessions and tasks."""

from contextlib import suppress
from typing import Any

import httpx

from agent_runtime.api.a2a_wire import task_of
from agent_runtime.kagent.settings import KagentSettings
from agent_runtime.runs.port import RunRecord
from agent_runtime.secret_file import SecretFile, SecretUnavailableError

ANSWER_SECONDS = 10.0
_NAME_LENGTH = 80
_REFUSED = frozenset({400, 409, 413, 422})
"""The same request would be refused again."""


class ControllerError(Exception):
    """The controller did not take it; `lasting`: nor will it."""

    def __init__(self, message: str, *, lasting: bool) -> None:
        super().__init__(message)
        self.lasting = lasting


class Controller:
    """Tells the controller of runs; each call may be repeated."""

    def __init__(self, settings: KagentSettings) -> None:
        self._settings = settings
        self._token = SecretFile(settings.token_file)
        self._client = httpx.AsyncClient(
            base_url=settings.url or "", timeout=ANSWER_SECONDS, trust_env=False
        )

    async def tell(self, run: RunRecord) -> None:
        """The session first: a task of an unknown session is not listed. Raises ControllerError."""
        session = {
            "id": run.session,
            "agent_ref": self._settings.agent_ref,
            "name": _title(run),
        }
        await self._post("/api/sessions", session, run, known=True)
        await self._post("/api/tasks", task_json(run), run)

    async def close(self) -> None:
        await self._client.aclose()

    async def _post(
        self, path: str, body: dict[str, Any], run: RunRecord, *, known: bool = False
    ) -> None:
        try:
            answer = await self._client.post(path, json=body, headers=self._headers(run))
        except httpx.HTTPError as error:
            raise ControllerError(f"{path}: {type(error).__name__}", lasting=False) from error
        status = answer.status_code
        if answer.is_success or (known and status == 409):
            return
        raise ControllerError(f"{path}: {status}", lasting=status in _REFUSED)

    def _headers(self, run: RunRecord) -> dict[str, str]:
        headers = {"X-Agent-Name": self._settings.agent_id}
        with suppress(SecretUnavailableError):  # a controller without authentication mounts none
            headers["Authorization"] = f"Bearer {self._token.read()}"
        if run.user:
            headers["X-User-Id"] = run.user
        return headers


def task_json(run: RunRecord) -> dict[str, Any]:
    """The run as a task of the 0.3 wire, which is what a request without a version header has."""
    from a2a.compat.v0_3.conversions import to_compat_task

    task = to_compat_task(task_of(run, extension=False))
    written: dict[str, Any] = task.model_dump(mode="json", by_alias=True, exclude_none=True)
    return written


def _title(run: RunRecord) -> str:
    """The conversation's name in the UI: its first words."""
    asked = next((each for each in run.messages if each["role"] == "user"), None)
    text = " ".join(str(asked["content"]).split()) if asked else run.session
    return text[:_NAME_LENGTH] or run.session
