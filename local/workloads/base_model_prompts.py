"""Few-shot prompts that make a base model (one without a chat template) answer as a chat model.

Each prompt begins with a part that never changes, so that the server finds it in its cache. Tool
results are quoted as facts; what is in them can't change which tools are called, since tools are
only chosen from the user's own message.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from local.workloads.openai_shapes import ChatMessage, FunctionSpec
from local.workloads.tool_arguments import (
    Argument,
    arguments_grammar,
    choice_grammar,
    is_lookup,
    literal,
    phrase,
)

NO_TOOL = "greeting"
LONGEST_MESSAGE = 600
LONGEST_FACTS = 900
LONGEST_RESULT = 400
HEADING = re.compile(r"^#{1,6} .*$", re.MULTILINE)

QUESTIONS = (
    "How do I change the remote control's battery?",
    "Wie lange dauert die Lieferung?",
    "What does the delivery cost?",
    "Can I pay by card?",
    "What happens when it rains?",
    "Wo finde ich die Nummer?",
)
SMALL_TALK = (
    "Hello!",
    "Thank you very much, goodbye.",
    "Good evening",
    "Great, that worked.",
    "Hi there",
)
REQUESTS = (
    ("Please {phrase}: the display of my unit is dark.", "the display of my unit is dark"),
    ("My door is broken. {Phrase}, please.", "My door is broken"),
    ("I want you to {phrase} because the lamp smells.", "the lamp smells"),
)


@dataclass(frozen=True)
class Prompt:
    """What the model is given, and what it may answer."""

    text: str
    grammar: str = ""
    stop: tuple[str, ...] = ("\n",)
    tokens: int = 160


@dataclass(frozen=True)
class Passage:
    """A piece of a document that a tool found."""

    title: str
    text: str
    score: float


def line(text: str, limit: int = LONGEST_MESSAGE) -> str:
    """`text` in one line, its end kept when it is too long: people ask last."""
    joined = " ".join(text.split())
    return joined if len(joined) <= limit else "…" + joined[1 - limit :]


def choose_tool(message: str, tools: Sequence[FunctionSpec], *, must: bool) -> Prompt:
    """Which tool the message calls for; the answer is a tool's name or `NO_TOOL`."""
    examples: list[list[tuple[str, str]]] = []
    lookup = next((tool for tool in tools if is_lookup(tool)), None)
    for tool in tools:
        if tool is lookup:
            examples.append([(question, tool.name) for question in QUESTIONS])
        else:
            said = [_request(pattern, tool) for pattern, _ in REQUESTS]
            examples.append([(text, tool.name) for text in said])
    if not must:
        examples.append([(text, NO_TOOL) for text in SMALL_TALK])
    shown = "".join(f"Message: {text}\nKind: {kind}\n" for text, kind in _in_turn(examples))
    names = [tool.name for tool in tools] + ([] if must else [NO_TOOL])
    head = "Say what kind of message each one is.\n\n"
    return Prompt(f"{head}{shown}Message: {line(message)}\nKind:", choice_grammar(names), (), 24)


def _request(pattern: str, tool: FunctionSpec) -> str:
    words = phrase(tool)
    return pattern.format(phrase=words, Phrase=words[0].upper() + words[1:])


def _in_turn(lists: Sequence[list[tuple[str, str]]]) -> list[tuple[str, str]]:
    """One of each list after the other: a model follows the last kind it saw too gladly."""
    longest = max(map(len, lists))
    return [each[n] for n in range(longest) for each in lists if n < len(each)]


def fill_arguments(message: str, tool: FunctionSpec, arguments: Sequence[Argument]) -> Prompt:
    """The arguments of a call; the answer is a JSON object."""
    if is_lookup(tool):
        pairs = [(question, question) for question in QUESTIONS]
    else:
        pairs = [(_request(pattern, tool), subject) for pattern, subject in REQUESTS]
    shown = "".join(
        f"Message: {text}\nCall: {_example(arguments, subject)}\n\n" for text, subject in pairs
    )
    text = f"{shown}Message: {line(message)}\nCall:"
    return Prompt(text, arguments_grammar(list(arguments)), ())


def _example(arguments: Sequence[Argument], subject: str) -> str:
    return json.dumps({each.name: each.example(subject) for each in arguments}, ensure_ascii=False)


ANSWERED = """Copy the sentence from the facts that answers the question.

Facts: The Aria lamp weighs 300 g. Its guarantee lasts two years. To switch it on, tap the base twice.
Question: How do I switch on the lamp?
Answer: To switch it on, tap the base twice. (Aria lamp)

Facts: The museum costs 8 euros. It is open from 10:00 to 17:00, but not on Mondays.
Question: When can I visit the museum?
Answer: It is open from 10:00 to 17:00, but not on Mondays. (Visiting the museum)

Facts: - Steady: it is cooling. - Yellow: the door is open. - Off: there is no power.
Question: What does a yellow lamp on the fridge mean?
Answer: Yellow: the door is open. (Lamps of the fridge)

"""  # noqa: E501 - a line of the prompt is a line for the model


def answer_from(question: str, passages: Sequence[Passage]) -> Prompt:
    """One or two sentences from the best document, followed by its title.

    A model of this size mixes up two documents that are alike, so it gets one.
    """
    best = max(passages, key=lambda each: each.score)
    chosen = [HEADING.sub("", each.text) for each in passages if each.title == best.title]
    facts = line(" ".join(chosen)[:LONGEST_FACTS], LONGEST_FACTS)
    title = line(best.title, 120).translate({ord("("): None, ord(")"): None})
    # A full stop before a digit ("2.4 GHz") does not end a sentence.
    grammar = (
        f'root ::= " " s (" " s)? {literal(f" ({title})")}\n'
        's ::= ([^.\\n(] | "." [0-9]){3,200} "."'
    )
    return Prompt(f"{ANSWERED}Facts: {facts}\nQuestion: {line(question)}\nAnswer:", grammar)


REPORTED = """Tell the customer what the tool did.

Tool: reserve-table
Result: {"id": "R-7", "status": "reserved", "name": "window table"}
Reply: I have reserved the table. The number is R-7.

Tool: send-parcel
Result: error: the service does not answer
Reply: I am sorry, send-parcel did not work: the service does not answer.

Tool: search-catalogue
Result: nothing found
Reply: I am sorry, I found nothing about that.

Tool: create-order
Result: {"id": "O-2290", "status": "open", "subject": "two chairs"}
Reply: I have created the order. The number is O-2290.

"""


def report_on(tool: str, result: str) -> Prompt:
    """What a tool did, in a sentence."""
    shown = line(result[: 2 * LONGEST_RESULT], LONGEST_RESULT)
    return Prompt(f"{REPORTED}Tool: {line(tool, 80)}\nResult: {shown}\nReply:", tokens=60)


CHAT = """User: Hello!
Assistant: Hello! How can I help you?
User: What is the capital of France?
Assistant: The capital of France is Paris.
User: Great, that worked.
Assistant: I am glad to hear that.
User: Thank you very much, goodbye.
Assistant: You are welcome. Goodbye!
"""


def chat(messages: Sequence[ChatMessage]) -> Prompt:
    """A plain conversation; the last two exchanges are remembered."""
    spoken = [each for each in messages if each.role in ("user", "assistant") and each.text]
    names = {"user": "User", "assistant": "Assistant"}
    turns = "".join(f"{names[each.role]}: {line(each.text)}\n" for each in spoken[-5:])
    return Prompt(f"{CHAT}{turns}Assistant:", stop=("\n", "User:"), tokens=120)


def read_result(text: str) -> tuple[list[Passage], str]:
    """What a tool message holds: passages of documents, or else its content in one line."""
    try:
        content: Any = json.loads(text)
    except ValueError:
        return [], text
    if isinstance(content, dict) and "error" in content:
        return [], f"error: {content['error']}"
    if isinstance(content, dict) and "result" in content:
        content = content["result"]
    found = content.get("results") if isinstance(content, dict) else None
    if isinstance(found, list):
        passages = [_passage(each) for each in found if isinstance(each, dict)]
        return [each for each in passages if each.text.strip()], "nothing found"
    return [], content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)


def _passage(hit: dict[str, Any]) -> Passage:
    score = hit.get("score")
    return Passage(
        title=str(hit.get("title") or hit.get("source") or "document"),
        text=str(hit.get("content") or hit.get("text") or ""),
        score=float(score) if isinstance(score, int | float) else 0.0,
    )
