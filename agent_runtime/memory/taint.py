"""Taint that outlives its run: what a session remembers of content from outside.

An answer of a tainted run may repeat orders that it read. It is remembered with a mark, so that
the next run of the session is tainted from its beginning, on whatever replica. What no longer is
in the conversation taints nothing; until then every further answer is marked like the first.
"""

from collections.abc import Iterable

from agent_runtime.agent.completion import Message

MARK = "untrusted"
"""Key of a remembered message; models never see it."""


def marked(answer: Message, *, tainted: bool) -> Message:
    """The answer as it is remembered."""
    return {**answer, MARK: True} if tainted else answer


def is_tainted(history: Iterable[Message]) -> bool:
    """Whether anything that is remembered rests on content from outside."""
    return any(MARK in message for message in history)


def plain(history: Iterable[Message]) -> list[Message]:
    """The messages as models take them."""
    return [{key: value for key, value in each.items() if key != MARK} for each in history]


def brings_answers(asked: Iterable[Message]) -> bool:
    """Whether the caller keeps the conversation: nobody knows on what those answers rest."""
    return any(message["role"] == "assistant" for message in asked)
