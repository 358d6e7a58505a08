"""The first words of a step before they are stored, for clients that do not go by ids."""

from typing import Any

import pytest

from agent_runtime.runs.port import RunEvent
from agent_runtime.runs.run_log import Listener, RunLog
from agent_runtime.runs.store import Claim

pytestmark = pytest.mark.unit


class Log:
    """A RunLog that notes who hurries."""

    def __init__(self) -> None:
        claim = Claim("r", 1, 1, "acme", "", "s", request={}, trace_id="", created=0.0)
        self.hurried = 0
        self.run = RunLog(claim, lambda: None, self._hurry)
        self._id = 0

    def _hurry(self) -> None:
        self.hurried += 1

    def store(self) -> None:
        write = self.run.write()
        ids = [f"{self._id}-{number}" for number, _ in enumerate(write.events)]
        self._id += 1
        self.run.written(write, ids)


def heard(queue: Listener) -> list[tuple[str, str, Any]]:
    found: list[tuple[str, str, Any]] = []
    while not queue.empty():
        event = queue.get_nowait()
        if isinstance(event, RunEvent):
            found.append((event.id, event.type, event.data.get("text")))
        else:
            found.append(("", "end", None))
    return found


async def test_first_words_come_at_once_and_the_rest_when_it_is_stored() -> None:
    log = Log()
    ahead = log.run.listen(ahead=True)
    log.run.text(0, "Your ")
    assert heard(ahead) == [("", "text.delta", "Your ")]
    assert log.hurried == 0
    log.run.text(0, "order ")
    assert heard(ahead) == []
    late = log.run.listen(ahead=True)
    log.store()
    assert heard(ahead) == [("0-0", "text.delta", "order ")]
    assert heard(late) == [("0-0", "text.delta", "Your order ")]
    log.run.text(0, "is here")
    log.store()
    assert heard(ahead) == [("1-0", "text.delta", "is here")]
    assert [event.data["text"] for event in log.run.told] == ["Your order ", "is here"]


async def test_whoever_goes_by_ids_hears_only_what_is_stored_and_is_not_kept_waiting() -> None:
    log = Log()
    ahead, by_ids = log.run.listen(ahead=True), log.run.listen()
    log.run.text(0, "Your ")
    assert heard(ahead) == heard(by_ids) == []
    assert log.hurried == 1
    log.store()
    assert heard(ahead) == heard(by_ids) == [("0-0", "text.delta", "Your ")]


async def test_words_do_not_overtake_what_was_recorded_before_them() -> None:
    log = Log()
    ahead = log.run.listen(ahead=True)
    log.run.event("tool.finished", {"id": "c"})
    log.run.text(1, "Your ")
    assert heard(ahead) == []
    assert log.hurried == 1
    write = log.run.write()
    log.run.text(2, "Then ")
    assert heard(ahead) == []  # the write before is on its way
    log.run.written(write, ["0-0", "0-1"])
    log.store()
    assert [kind for _, kind, _ in heard(ahead)] == ["tool.finished", "text.delta", "text.delta"]


async def test_words_that_were_not_stored_are_void_where_the_run_is_lost() -> None:
    log = Log()
    ahead, late = log.run.listen(ahead=True), None
    log.run.text(0, "Your ")
    late = log.run.listen(ahead=True)
    log.run.lose()
    assert [kind for _, kind, _ in heard(ahead)] == ["text.delta", "step.restarted", "end"]
    assert [kind for _, kind, _ in heard(late)] == ["end"]


async def test_words_of_a_step_that_begins_again_wait_for_the_news_of_that() -> None:
    log = Log()
    ahead = log.run.listen(ahead=True)
    log.run.text(0, "Your ")
    log.run.restarted(0, 2, "broke off")
    log.run.text(0, "The ")
    assert heard(ahead) == [("", "text.delta", "Your ")]
    log.store()
    told = [
        ("0-0", "text.delta", ""),
        ("0-1", "step.restarted", None),
        ("0-2", "text.delta", "The "),
    ]
    assert heard(ahead) == told
