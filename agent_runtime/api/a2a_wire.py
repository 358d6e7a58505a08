"""Runs as A2A tasks: https://a2a-protocol.org/latest/specification/."""

from collections.abc import Mapping
from typing import Any

from a2a.types.a2a_pb2 import (
    Artifact,
    Message,
    Part,
    Role,
    Task,
    TaskArtifactUpdateEvent,
    TaskState,
    TaskStatus,
    TaskStatusUpdateEvent,
)
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic.alias_generators import to_camel

from agent_runtime.agent.result import RunResult
from agent_runtime.api import a2a_people
from agent_runtime.api.outcome import failed
from agent_runtime.runs.port import RunEvent, RunRecord, RunState

STATES: dict[RunState, TaskState] = {
    "queued": TaskState.TASK_STATE_SUBMITTED,
    "running": TaskState.TASK_STATE_WORKING,
    "waiting_input": TaskState.TASK_STATE_INPUT_REQUIRED,
    "completed": TaskState.TASK_STATE_COMPLETED,
    "failed": TaskState.TASK_STATE_FAILED,
    "canceled": TaskState.TASK_STATE_CANCELED,
    "rejected": TaskState.TASK_STATE_REJECTED,
}
MESSAGE = "a2a"
"""Where a run keeps the id of the message that began it."""
Update = TaskStatusUpdateEvent | TaskArtifactUpdateEvent


def task_of(run: RunRecord, *, extension: bool) -> Task:
    """The task as it stands; `extension`: people are asked on the newer of kagent's wires."""
    status = TaskStatus(state=STATES[run.state], timestamp=_timestamp(run.updated))
    artifacts = []
    if run.result:
        status.message.CopyFrom(_reply(run, run.result, extension=extension))
        if run.state == "completed":
            artifacts = [_artifact(run, run.result.text)]
    elif run.error:
        status.message.CopyFrom(_message(run, "status", run.error.message))
    return Task(
        id=run.id,
        context_id=run.session,
        status=status,
        artifacts=artifacts,
        history=_history(run),
    )


class TaskUpdates:
    """A run's events as the updates of its task."""

    def __init__(self, run: RunRecord, *, extension: bool) -> None:
        self._run = run
        self._extension = extension
        self._step: int | None = None
        self._said = ""

    def told(self, event: RunEvent) -> list[Update]:
        match event.type:
            case "text.delta":
                return [self._words(event.data["step"], event.data["text"])]
            case "step.restarted":
                self._step = None  # what comes next replaces the artifact
                return []
            case "tool.started" | "tool.finished":
                return [self._tool(event)]
            case "run.queued":
                return []
            case _:
                return self._state(event)

    def _words(self, step: int, text: str) -> TaskArtifactUpdateEvent:
        more = step == self._step
        self._step = step
        self._said = self._said + text if more else text
        return self._piece(text, more=more)

    def _piece(self, text: str, *, more: bool) -> TaskArtifactUpdateEvent:
        return TaskArtifactUpdateEvent(
            task_id=self._run.id,
            context_id=self._run.session,
            artifact=_artifact(self._run, text),
            append=more,
        )

    def _tool(self, event: RunEvent) -> TaskStatusUpdateEvent:
        message = _message(self._run, f"tool-{event.id}")
        message.parts.append(_tool_part(event))
        return self._status(event, TaskState.TASK_STATE_WORKING, message)

    def _state(self, event: RunEvent) -> list[Update]:
        state = STATES[event.data["state"]]
        if "result" in event.data:
            result = RunResult(**event.data["result"])
            message = _reply(self._run, result, extension=self._extension)
            done = event.type == "run.completed" and result.text != self._said
            words: list[Update] = [self._piece(result.text, more=False)] if done else []
            return [*words, self._status(event, state, message)]
        if event.data.get("error"):
            text = failed(event).message
            return [self._status(event, state, _message(self._run, "status", text))]
        return [self._status(event, state)]

    def _status(
        self, event: RunEvent, state: TaskState, message: Message | None = None
    ) -> TaskStatusUpdateEvent:
        # the same time in every stream: ids of events begin with their milliseconds
        stamp = _timestamp(int(event.id.partition("-")[0]) / 1000)
        return TaskStatusUpdateEvent(
            task_id=self._run.id,
            context_id=self._run.session,
            status=TaskStatus(state=state, timestamp=stamp, message=message),
        )


def _tool_part(event: RunEvent) -> Part:
    """A tool call, and what became of it, in the form that kagent's UI shows."""
    data = event.data
    if event.type == "tool.started":
        call = {"id": data["id"], "name": data["name"], "args": _object(data["arguments"])}
        return a2a_people.data_part(call, {"kagent_type": "function_call"})
    done = {"status": data["status"], "seconds": data["seconds"]}
    told = {"id": data["id"], "name": data["name"], "response": done}
    return a2a_people.data_part(told, {"kagent_type": "function_response"})


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {"text": str(value)}


def _reply(run: RunRecord, result: RunResult, *, extension: bool) -> Message:
    message = _message(run, f"status-{result.status}", result.text)
    if result.status == "waiting_input":
        a2a_people.ask(message, result.approvals, extension=extension)
    details = _camel(result.extension())
    details["approvals"] = [_camel(each) for each in result.approvals]
    message.metadata.update({"agentic": details})
    return message


def _camel(details: Mapping[str, Any]) -> dict[str, Any]:
    """Keys as A2A writes them; what stands below them is left as it is."""
    return {to_camel(key): value for key, value in details.items()}


def _message(run: RunRecord, name: str, text: str | None = None) -> Message:
    """A message of the agent; its id is derived, so that the same one has it at every reading."""
    return Message(
        message_id=f"{run.id}-{name}",
        task_id=run.id,
        context_id=run.session,
        role=Role.ROLE_AGENT,
        parts=[] if text is None else [Part(text=text)],
    )


def _artifact(run: RunRecord, text: str) -> Artifact:
    return Artifact(artifact_id=f"{run.id}-answer", name="answer", parts=[Part(text=text)])


def _history(run: RunRecord) -> list[Message]:
    asked = [each for each in run.messages if each["role"] == "user"]
    kept = run.metadata.get(MESSAGE)
    return [
        Message(
            message_id=kept if kept and number == len(asked) else f"{run.id}-{number}",
            task_id=run.id,
            context_id=run.session,
            role=Role.ROLE_USER,
            parts=[Part(text=str(each["content"]))],
        )
        for number, each in enumerate(asked, 1)
    ]


def _timestamp(seconds: float) -> Timestamp:
    return Timestamp(seconds=int(seconds), nanos=int(seconds % 1 * 1e9))
