"""Words for clients that can't be told to forget them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_runtime.api.spoken import Spoken

pytestmark = pytest.mark.unit

WORDS = st.lists(st.text("ab ", min_size=1, max_size=4), max_size=6)


def test_a_step_that_says_the_same_again_is_not_heard_twice() -> None:
    spoken = Spoken()
    told = [spoken.said(1, "Hello "), spoken.said(1, "Kim")]
    spoken.restarted(1)
    told += [spoken.said(1, "Hello"), spoken.said(1, " Kim, how"), spoken.said(1, " are you?")]
    told.append(spoken.missing("Hello Kim, how are you?"))
    assert "".join(told) == "Hello Kim, how are you?"
    assert told[2] == "", "what was heard already is held back"


def test_a_step_that_says_something_else_begins_a_paragraph() -> None:
    spoken = Spoken()
    spoken.said(1, "Hello Kim")
    spoken.restarted(1)
    spoken.said(1, "Hello ")
    spoken.said(1, "Lee")
    assert spoken.all + spoken.missing("Hello Lee") == "Hello Kim\n\nHello Lee"


def test_an_answer_shorter_than_what_was_heard_is_said_once_more() -> None:
    spoken = Spoken()
    spoken.said(1, "Hello Kim")
    spoken.restarted(1)
    spoken.said(1, "Hello")
    assert spoken.missing("Hello") == "\n\nHello"


def test_the_answer_after_a_tool_stands_apart_from_what_was_said_before() -> None:
    spoken = Spoken()
    spoken.said(1, "Let me look.")
    spoken.said(2, "It is 42.")
    assert spoken.all == "Let me look.\n\nIt is 42."
    assert spoken.missing("It is 42.") == ""


def test_an_answer_that_nobody_streamed_is_said_whole() -> None:
    assert Spoken().missing("Out of time.") == "Out of time."


@given(st.lists(st.tuples(st.integers(1, 3), WORDS, st.booleans()), max_size=5), WORDS)
def test_whatever_happens_all_that_was_said_ends_with_the_answer(
    steps: list[tuple[int, list[str], bool]], last: list[str]
) -> None:
    spoken, heard, answer = Spoken(), "", ""
    for step, words, again in [*sorted(steps, key=lambda each: each[0]), (4, last, False)]:
        if again:
            spoken.restarted(step)
        for word in words:
            heard += spoken.said(step, word)
        answer = "".join(words)
    heard += spoken.missing(answer)
    assert heard == spoken.all
    assert heard.endswith(answer)
