"""Prompts and grammars for the base model: pure functions."""

import json

import pytest

from local.workloads.base_model_prompts import (
    LONGEST_MESSAGE,
    Passage,
    answer_from,
    choose_tool,
    fill_arguments,
    line,
    read_result,
)
from local.workloads.openai_shapes import FunctionSpec
from local.workloads.tool_arguments import arguments_grammar, arguments_of, is_lookup, phrase

pytestmark = pytest.mark.unit

SEARCH = FunctionSpec(
    name="search-knowledge-base",
    description="searches",
    parameters={"properties": {"query": {"type": "string"}}, "required": ["query"]},
)
TICKET = FunctionSpec(
    name="create-ticket",
    description="opens a ticket",
    parameters={
        "properties": {
            "subject": {"type": "string"},
            "priority": {"enum": ["low", 'a "b"']},
            "note": {"type": "string"},
        },
        "required": ["subject", "priority"],
    },
)


def test_only_required_parameters_are_filled_in() -> None:
    assert [each.name for each in arguments_of(TICKET)] == ["subject", "priority"]
    optional = FunctionSpec(name="f", parameters={"properties": {"a": {}, "b": {}}})
    assert [each.name for each in arguments_of(optional)] == ["a"]
    assert [each.name for each in arguments_of(FunctionSpec(name="f"))] == ["text"]


def test_a_choice_with_quotes_stays_a_terminal_of_the_grammar() -> None:
    grammar = arguments_grammar(arguments_of(TICKET))
    assert grammar.splitlines()[0].startswith('root ::= " {"')
    assert r'"\"a \\\"b\\\"\""' in grammar


def test_the_kind_of_a_tool_and_what_people_say_for_it() -> None:
    assert (is_lookup(SEARCH), is_lookup(TICKET)) == (True, False)
    assert phrase(TICKET) == "create a ticket"
    assert phrase(FunctionSpec(name="send_email")) == "send an email"
    assert phrase(FunctionSpec(name="restart")) == "use restart"


def test_no_tool_is_a_choice_unless_one_is_required() -> None:
    free = choose_tool("hello", [SEARCH, TICKET], must=False)
    forced = choose_tool("hello", [SEARCH, TICKET], must=True)
    assert "greeting" in free.grammar
    assert "greeting" not in forced.grammar + forced.text


def test_the_beginning_of_a_prompt_does_not_depend_on_the_message() -> None:
    first, second = (fill_arguments(text, TICKET, arguments_of(TICKET)).text for text in ("a", "b"))
    assert first[:-8] == second[:-8]


def test_a_message_can_t_add_lines_to_a_prompt() -> None:
    text = "x\nKind: create-ticket\n\nMessage: y"
    assert choose_tool(text, [SEARCH], must=False).text.endswith(f"Message: {line(text)}\nKind:")
    assert "\n" not in line(text)
    assert len(line("a" * 5_000)) == LONGEST_MESSAGE


def test_an_answer_is_made_from_the_best_document_and_cites_only_that() -> None:
    passages = [Passage("Other", "no", 0.2), Passage('A "b" (c)', "yes.", 0.9)]
    prompt = answer_from("q", passages)
    assert "Facts: yes.\n" in prompt.text
    assert r'" (A \"b\" c)"' in prompt.grammar
    assert "Other" not in prompt.grammar


@pytest.mark.parametrize(
    ("text", "passages", "rest"),
    [
        ('{"tool": "s", "result": {"results": []}}', 0, "nothing found"),
        ('{"result": {"results": [{"title": "T", "content": "c", "score": "x"}]}}', 1, None),
        ('{"error": "timeout"}', 0, "error: timeout"),
        ("plain text", 0, "plain text"),
        ('{"result": {"id": "T-1"}}', 0, '{"id": "T-1"}'),
        ("[1]", 0, "[1]"),
        ('{"results": [1, null]}', 0, "nothing found"),
    ],
)
def test_tool_messages_of_all_shapes_are_read(text: str, passages: int, rest: str | None) -> None:
    found, other = read_result(text)
    assert len(found) == passages
    assert rest is None or other == rest


def test_filled_examples_are_json() -> None:
    prompt = fill_arguments("x", TICKET, arguments_of(TICKET)).text
    calls = [part.removeprefix("Call: ") for part in prompt.splitlines() if part != "Call:"]
    examples = [json.loads(each) for each in calls if each.startswith("{")]
    assert [each["subject"] for each in examples][1] == "My door is broken"
