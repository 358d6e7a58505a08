"""Links to foreign hosts leave an answer, however they are spelled and wherever it is cut."""

import html
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_runtime.agent.link_guard import LONGEST_WORD, REMOVED, LinkGuard
from agent_runtime.agent.voice import guard_for
from agents.output import Links

pytestmark = pytest.mark.unit

HOSTS = ("good.com", "*.ok.org")
FOREIGN = [
    "![x](https://evil.com/s)",
    "[x](https://evil.com/s)",
    "https://evil.com/s",
    "HTTPS://EVIL.com/s",
    "<https://evil.com/s>",
    "www.evil.com/s",
    "ws://evil.com/s",
    '<img src="https://evil.com/s">',
    "<img src=https://evil.com/s>",
    "<img src='//evil.com/s'>",
    '<img src="//3232235777/evil">',
    '<img src="https:/\n/evil.com/s">',
    '<img src="/\t/evil.com/s">',
    "<img src='/\n/evil.com/s'>",
    '<img src="ht&#9;tps://evil.com/s">',
    '<p style="background:url(https\\3a//evil.com/s)">',
    "[x](//evil.com/s)",
    "[x](/\\evil.com/s)",
    "[x](\\\\evil.com/s)",
    "![x](https:/evil.com/s)",
    "![x](https:evil.com/s)",
    "![x](&#104;ttps://evil.com/s)",
    "![x](https&colon;//evil.com/s)",
    "![x](https\\://evil.com/s)",
    "[x]: https://evil.com/s",
    "[x]:\n  //evil.com/s",
    "[x](mailto:evil@evil.com?body=s)",
    "[x](tel:evil)",
    "[x]( <sms:evil>)",
    '{"u":"https:\\/\\/evil.com/s"}',
    '{"u":"https\\u003a//evil.com/s"}',
    "[![a](https://evil.com/s)](https://good.com/)",
    "https://good.com/'![x](https://evil.com/s)",
    "見て https://evil.com/秘密",
    "https://%65vil.com/",
]
LOOKALIKES = [
    "https://good.com@evil.com/",
    "https://good.com\\@evil.com/",
    "https://good.com.evil.com/",
    "https://good.com,x.evil.com/",
    "https://good.com).evil.com/s",
    "https://good.com&#46;evil.com/",
    "https://good.com\\.evil.com/",
    "https://good.com\u3002evil.com/",
    "https://evil.com#@good.com",
    "https://notgood.com/evil",
    "https://ok.org/evil",
    "https://notok.org/evil",
]
KEPT = [
    "https://good.com/a?x=1#y",
    "see https://good.com, and (https://good.com).",
    "[d](https://good.com)",
    "![i](https://a.ok.org:8443/p.png)",
    "<https://good.com/x>",
    '<img src="https://good.com/x">',
    "**https://good.com/x** or 'https://good.com'",
    "https://good.com/r?u=https://evil.com/x",
    "https://good.com/a&amp;b=1",
    "見て https://good.com/日本。そして https://good.com、次",
    "| [a](https://good.com/x) | [b](https://good.com/y)|",
    "mailto:help@good.com",
    "[x](/docs/a) and [y](#part)",
    "JavaScript: The Good Parts; note:this; 1/2 and/or a//b; 3:4; http or https",
    "C:\\\\Users\\\\me and $x \\\\ y$ and std::vector<int>",
    "// a comment\nx < y and <b>bold</b>\n\nnext",
]


def cleaned(text: str, hosts: tuple[str, ...] = HOSTS) -> str:
    guard = LinkGuard(hosts)
    shown = guard.feed(text) + guard.rest()
    assert shown == guard.text
    return shown


@pytest.mark.parametrize("text", FOREIGN)
def test_a_link_to_a_foreign_host_is_taken_out(text: str) -> None:
    shown = cleaned(text)
    assert shown != text
    read_by_a_browser = re.sub(r"[\t\n]", "", html.unescape(shown))
    assert not re.search(r"(//|\\|[:@]|www\.)evil", read_by_a_browser, re.IGNORECASE)


@pytest.mark.parametrize("text", LOOKALIKES)
def test_a_host_that_only_looks_like_a_listed_one_is_foreign(text: str) -> None:
    assert "good.com" not in cleaned(text)
    assert "ok.org" not in cleaned(text)
    assert "//" not in cleaned(text)


@pytest.mark.parametrize("text", KEPT)
def test_listed_hosts_and_what_is_no_link_stay(text: str) -> None:
    assert cleaned(text) == text


@pytest.mark.parametrize("text", [*FOREIGN, *LOOKALIKES, *KEPT])
def test_cutting_the_stream_anywhere_changes_nothing(text: str) -> None:
    whole = cleaned(f"so {text} it is")
    for size in (1, 2, 3, 7):
        guard = LinkGuard(HOSTS)
        told = f"so {text} it is"
        pieces = [guard.feed(told[at : at + size]) for at in range(0, len(told), size)]
        assert "".join(pieces) + guard.rest() == whole


@given(st.lists(st.sampled_from([*FOREIGN, *KEPT, "word", "\n\n", "語"]), max_size=6), st.data())
def test_any_text_comes_out_the_same_by_any_cut(parts: list[str], data: st.DataObject) -> None:
    text = " ".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    guard = LinkGuard(HOSTS)
    bounds = [0, *cuts, len(text)]
    shown = [guard.feed(text[a:b]) for a, b in pairwise(bounds)]
    assert "".join(shown) + guard.rest() == cleaned(text)


def test_words_are_shown_as_soon_as_they_end() -> None:
    guard = LinkGuard(HOSTS)
    assert [guard.feed(piece) for piece in ("one ", "two", " ", "日本", "語")] == [
        *("one ", "", "two ", "日本", "語")
    ]


def test_a_word_without_end_is_not_held_for_ever_and_hides_no_link() -> None:
    guard = LinkGuard(HOSTS)
    shown = guard.feed("a" * 2 * LONGEST_WORD)
    assert shown
    shown += guard.feed("https://evil.com/" + "s" * 2 * LONGEST_WORD) + guard.rest()
    assert "//evil" not in shown
    assert REMOVED in shown


def test_an_answer_that_begins_again_forgets_what_it_held() -> None:
    guard = LinkGuard(HOSTS)
    guard.feed("https://ev")
    guard.reset()
    assert guard.feed("well. ") + guard.rest() == "well. "
    assert guard.removed == 0


@pytest.mark.parametrize(
    ("links", "tainted", "guarded"),
    [
        (Links(), False, False),
        (Links(), True, True),
        (Links(check="always"), False, True),
        (Links(hosts=("*",), check="always"), True, False),
    ],
)
def test_the_document_says_when_answers_are_checked(
    links: Links, *, tainted: bool, guarded: bool
) -> None:
    assert (guard_for(links, tainted=tainted) is not None) is guarded
