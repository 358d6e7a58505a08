"""What people are asked and answer on kagent's two wires; nothing but a full decision counts."""

from typing import Any

import pytest
from a2a.types.a2a_pb2 import Message
from a2a.utils.errors import InvalidParamsError
from google.protobuf.json_format import MessageToDict, ParseDict
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_runtime.api.a2a_people import answers, ask
from agent_runtime.api.agent_card import HITL

pytestmark = pytest.mark.unit

PAY: dict[str, Any] = {"id": "a1", "tool": "pay", "arguments": {"amount": 5}, "prompt": "Pay?"}
DROP: dict[str, Any] = {"id": "a2", "tool": "drop", "arguments": {}, "prompt": "Drop?"}
NAME: dict[str, Any] = {
    "id": "a3",
    "tool": "ask-boss",
    "arguments": {},
    "prompt": "Which name?",
    "needs_answer": True,
}


def message(*parts: dict[str, Any], payload: object = None) -> Message:
    given: dict[str, Any] = {"messageId": "m", "role": "ROLE_USER", "parts": list(parts)}
    if payload is not None:
        given |= {"extensions": [HITL], "metadata": {HITL: payload}}
    made: Message = ParseDict(given, Message())
    return made


def decision(**data: Any) -> Message:
    return message({"data": data})


def approvals(*listed: dict[str, Any]) -> Message:
    return message(payload={"type": "tool_approval_response", "approvals": list(listed)})


def test_on_the_extension_several_calls_are_one_flat_list() -> None:
    asked = Message()
    ask(asked, [PAY, DROP], extension=True)
    payload = MessageToDict(asked.metadata)[HITL]
    assert payload["type"] == "tool_approval_request"
    assert [(each["id"], each["name"]) for each in payload["tools"]] == [
        ("a1", "pay"),
        ("a2", "drop"),
    ]
    assert payload["tools"][0]["args"] == {"amount": 5}
    assert not asked.parts


@pytest.mark.parametrize("extension", [True, False])
def test_a_question_is_asked_as_one_and_its_answer_is_words(extension: bool) -> None:  # noqa: FBT001 # a parameter of the test
    asked = Message()
    ask(asked, [NAME], extension=extension)
    if extension:
        payload = MessageToDict(asked.metadata)[HITL]
        assert (payload["type"], payload["id"]) == ("ask_user_request", "a3")
        assert payload["questions"][0]["question"] == "Which name?"
        told = message(
            payload={"type": "ask_user_response", "id": "a3", "answers": [{"answer": ["Kim"]}]}
        )
    else:
        call = MessageToDict(asked.parts[0].data)["args"]["originalFunctionCall"]
        assert (call["name"], call["id"]) == ("ask_user", "a3")
        told = decision(decision_type="approve", ask_user_answers=[{"answer": ["Kim"]}])
    found = answers(told, [NAME])["a3"]
    assert (found.approved, found.text) == (True, "Kim")


def test_plain_words_answer_a_question_but_decide_no_call() -> None:
    words = message({"text": "Kim"})
    assert answers(words, [NAME])["a3"].text == "Kim"
    with pytest.raises(InvalidParamsError):
        answers(message({"text": "Yes, approve it!"}), [PAY])


def test_one_word_for_all_and_a_batch_are_understood() -> None:
    assert {
        each.approved for each in answers(decision(decision_type="approve"), [PAY, DROP]).values()
    } == {True}
    found = answers(
        decision(
            decision_type="batch",
            decisions={"a1": "approve", "a2": "reject"},
            rejection_reasons={"a2": "too much"},
        ),
        [PAY, DROP],
    )
    assert (found["a1"].approved, found["a2"].approved, found["a2"].text) == (
        True,
        False,
        "too much",
    )


@pytest.mark.parametrize(
    "told",
    [
        approvals({"id": "a1", "approved": True}),
        approvals({"id": "a1", "approved": True}, {"id": "a1", "approved": False}),
        approvals({"id": "a1", "approved": True}, {"id": "other", "approved": True}),
        approvals({"id": "a1", "approved": "yes"}, {"id": "a2", "approved": True}),
        approvals(),
        message(payload={"type": "other"}),
        message(payload="approve"),
        message(payload={"type": "ask_user_response", "id": "a1", "answers": []}),
        decision(decision_type="batch", decisions={"a1": "approve"}),
        decision(decision_type="batch"),
        decision(decision_type="maybe"),
        message({"data": "approve"}),
    ],
)
def test_omission_repetition_and_nonsense_never_mean_yes(told: Message) -> None:
    with pytest.raises(InvalidParamsError):
        answers(told, [PAY, DROP])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)


@settings(max_examples=50)
@given(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["tool_approval_response", "ask_user_response"]) | JSON},
        optional={"approvals": JSON, "answers": JSON, "id": JSON},
    ),
    st.fixed_dictionaries(
        {"decision_type": st.sampled_from(["approve", "batch"]) | JSON},
        optional={"decisions": JSON, "rejection_reasons": JSON, "ask_user_answers": JSON},
    ),
)
def test_any_garbage_is_refused_in_the_protocols_words_or_decides_everything(
    payload: dict[str, Any], data: dict[str, Any]
) -> None:
    for told in (message(payload=payload), decision(**data)):
        try:
            found = answers(told, [PAY, NAME])
        except InvalidParamsError:
            continue
        assert set(found) == {"a1", "a3"}
