"""What a run asks of people, on both of kagent's wires, and what they answer.

Since kagent 0.11 a message carries the extension `hitl/v1`; up to 0.10 it carries data parts in
the form of ADK's confirmations. Both: kagent's docs/architecture/human-in-the-loop.md.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from a2a.types.a2a_pb2 import Message, Part
from a2a.utils.errors import InvalidParamsError
from google.protobuf.json_format import MessageToDict, ParseDict

from agent_runtime.api.agent_card import HITL
from agent_runtime.memory.approval_desk import Answer

_ASK = "ask_user"

Approval = Mapping[str, Any]


def ask(message: Message, approvals: Sequence[Approval], *, extension: bool) -> None:
    """Write what is asked into the message of an `input-required` status."""
    if extension:
        message.extensions.append(HITL)
        message.metadata.update({HITL: _payload(approvals)})
    else:
        message.parts.extend(_confirmation(each) for each in approvals)


def answers(message: Message, approvals: Sequence[Approval]) -> dict[str, Answer]:
    """What the person said, by approval id. Raises InvalidParamsError."""
    if HITL in message.extensions:
        payload = MessageToDict(message.metadata).get(HITL)
        return _extension_answers(payload if isinstance(payload, dict) else {}, approvals)
    for part in message.parts:
        data = MessageToDict(part.data) if part.HasField("data") else None
        if isinstance(data, dict) and "decision_type" in data:
            return _part_answers(data, approvals)
    text = "\n".join(part.text for part in message.parts if part.HasField("text")).strip()
    if text and len(approvals) == 1 and _is_question(approvals[0]):
        return {str(approvals[0]["id"]): Answer(approved=True, text=text)}
    raise InvalidParamsError(
        message="this task waits for a decision: send one in the form of its status message"
    )


def _is_question(approval: Approval) -> bool:
    return bool(approval.get("needs_answer"))


def _payload(approvals: Sequence[Approval]) -> dict[str, Any]:
    if len(approvals) == 1 and _is_question(approvals[0]):
        (question,) = approvals
        return {
            "type": "ask_user_request",
            "id": question["id"],
            "questions": [_question(question)],
        }
    tools = [
        {
            "id": each["id"],
            "call_id": each["id"],
            "name": each["tool"],
            "args": each["arguments"],
        }
        for each in approvals
    ]
    hint = "\n".join(str(each["prompt"]) for each in approvals)
    return {"type": "tool_approval_request", "hint": hint, "tools": tools}


def _question(approval: Approval) -> dict[str, Any]:
    return {"question": approval["prompt"], "choices": [], "multiple": False}


def _confirmation(approval: Approval) -> Part:
    name, arguments = approval["tool"], approval["arguments"]
    if _is_question(approval):
        name, arguments = _ASK, {"questions": [_question(approval)]}
    call = {"name": name, "args": arguments, "id": approval["id"]}
    asked = {"hint": approval["prompt"], "confirmed": False, "payload": None}
    data = {
        "name": "adk_request_confirmation",
        "id": approval["id"],
        "args": {"originalFunctionCall": call, "toolConfirmation": asked},
    }
    return data_part(data, {"kagent_type": "function_call", "kagent_is_long_running": True})


def data_part(data: Mapping[str, Any], metadata: Mapping[str, Any]) -> Part:
    """A structured part of a message."""
    part: Part = ParseDict({"data": data, "metadata": metadata}, Part())
    return part


def _extension_answers(
    payload: Mapping[str, Any], approvals: Sequence[Approval]
) -> dict[str, Answer]:
    waiting = {str(each["id"]) for each in approvals}
    if payload.get("type") == "ask_user_response":
        given = {str(payload.get("id")): Answer(approved=True, text=_words(payload.get("answers")))}
        return _covering(given, waiting)
    listed = payload.get("approvals")
    if payload.get("type") != "tool_approval_response" or not isinstance(listed, list):
        raise InvalidParamsError(message=f"the payload of {HITL} is no response")
    given = {}
    for each in listed:
        if not isinstance(each, dict) or not isinstance(each.get("approved"), bool):
            raise InvalidParamsError(message="each approval needs `id` and `approved`")
        if str(each.get("id")) in given:
            raise InvalidParamsError(message=f"{each.get('id')!r} is decided twice")
        reason = str(each.get("rejection_reason") or "")
        given[str(each.get("id"))] = Answer(approved=each["approved"], text=reason)
    return _covering(given, waiting)


def _part_answers(data: Mapping[str, Any], approvals: Sequence[Approval]) -> dict[str, Answer]:
    kind = data["decision_type"]
    words = iter(_each_answer(data.get("ask_user_answers")))
    decisions = data.get("decisions")
    reasons = data.get("rejection_reasons")
    if kind not in ("approve", "reject", "batch"):
        raise InvalidParamsError(message="decision_type is approve, reject or batch")
    if kind == "batch" and not isinstance(decisions, dict):
        raise InvalidParamsError(message="a batch needs `decisions`")
    found = {}
    for approval in approvals:
        name = str(approval["id"])
        decision = decisions.get(name) if kind == "batch" and decisions else kind
        if decision not in ("approve", "reject"):
            raise InvalidParamsError(message=f"{name!r} is not decided: omission is no consent")
        reason = reasons.get(name, "") if isinstance(reasons, dict) else ""
        text = next(words, "") if _is_question(approval) else str(reason)
        found[name] = Answer(approved=decision == "approve", text=text)
    return found


def _covering(given: dict[str, Answer], waiting: set[str]) -> dict[str, Answer]:
    if set(given) != waiting:
        wrong = sorted(set(given) ^ waiting)
        raise InvalidParamsError(
            message=f"decide exactly what is asked; missing or unknown: {', '.join(wrong)}"
        )
    return given


def _each_answer(answers: object) -> list[str]:
    """The texts of positional answers, each of which may be several choices."""
    listed = answers if isinstance(answers, list) else []
    texts = []
    for each in listed:
        choices = each.get("answer") if isinstance(each, dict) else None
        texts.append(", ".join(map(str, choices)) if isinstance(choices, list) else "")
    return texts


def _words(answers: object) -> str:
    return "\n".join(_each_answer(answers))
