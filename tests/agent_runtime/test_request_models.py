"""Whatever a client sends is either understood or told as its mistake, never as ours."""

from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from agent_runtime.api.chat_request import read_chat
from agent_runtime.api.error_answer import mistake
from agent_runtime.api.responses_request import ResponseId, read_responses
from agent_runtime.api.task_request import DecisionBody, InputBody, TaskBody
from agent_runtime.errors import RequestError

pytestmark = pytest.mark.unit

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
MESSAGE = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(["user", "system", "assistant", "tool"]) | JSON,
        "content": st.text(max_size=8) | st.lists(JSON, max_size=2) | JSON,
        "type": st.sampled_from(["message", "mcp_approval_response"]) | JSON,
        "approval_request_id": st.text(max_size=4) | JSON,
        "approve": st.booleans() | JSON,
    },
)
BODY = st.fixed_dictionaries(
    {},
    optional={
        "model": st.just("helper") | JSON,
        "messages": st.lists(MESSAGE, max_size=3) | JSON,
        "input": st.text(max_size=8) | st.lists(MESSAGE, max_size=3) | JSON,
        "stream": JSON,
        "tools": JSON,
        "temperature": JSON,
        "metadata": JSON,
        "response_format": JSON,
        "text": JSON,
        "limits": JSON,
        "on_busy": JSON,
        "answers": JSON,
        "decision": JSON,
        "previous_response_id": JSON,
        "conversation": JSON,
    },
)


Read = TypeVar("Read")


def read_or_refused(read: Callable[[], Read]) -> Read | RequestError:
    try:
        return read()
    except RequestError as error:
        return error


@settings(max_examples=60)
@given(BODY)
def test_a_chat_request_is_read_or_refused(body: dict[str, Any]) -> None:
    found = read_or_refused(lambda: read_chat(body, "helper"))
    if isinstance(found, RequestError):
        assert found.status in (400, 404)
        assert found.message
    else:
        assert [message.to_message() for message in found.messages][-1]["role"] == "user"
        assert found.wanted_format is None or found.wanted_format["type"] != "text"


@settings(max_examples=60)
@given(BODY)
def test_a_response_request_is_read_or_refused(body: dict[str, Any]) -> None:
    found = read_or_refused(lambda: read_responses(body, "helper"))
    if isinstance(found, RequestError):
        assert found.status in (400, 404)
        assert found.message
    else:
        assert bool(found.answers) != bool(found.messages)
        assert len(str(found.echoed())) < 16_384, "it is kept with the run"


@pytest.mark.parametrize("model", [TaskBody, InputBody, DecisionBody])
@settings(max_examples=40)
@given(body=BODY)
def test_a_body_of_ours_is_read_or_its_mistake_has_a_place(
    model: type[BaseModel], body: dict[str, Any]
) -> None:
    try:
        model.model_validate(body)
    except ValidationError as error:
        told = mistake(error)
        assert told.status == 400
        assert told.message


@given(st.text(max_size=40))
def test_a_response_id_is_read_back_or_not_found(text: str) -> None:
    found = read_or_refused(lambda: ResponseId.parse(text))
    if isinstance(found, RequestError):
        assert found.status == 404
    else:
        assert str(found) == text


@given(st.from_regex(r"[0-9a-f]{32}", fullmatch=True), st.integers(0, 9999))
def test_response_ids_survive_the_way_to_the_client(run: str, part: int) -> None:
    assert ResponseId.parse(str(ResponseId(run, part))) == ResponseId(run, part)


def test_a_body_that_carries_the_most_is_still_kept_with_its_run() -> None:
    text = {"format": {"type": "json_schema", "name": "a", "schema": {"x": "y" * 9000}}}
    metadata = {f"{number:064}": "v" * 512 for number in range(16)}
    request = read_responses(
        {"input": "hi", "instructions": "i" * 9000, "text": text, "metadata": metadata}, "helper"
    )
    assert len(str(request.echoed())) < 16_384
    assert request.wanted_format is not None
