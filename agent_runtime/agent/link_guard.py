"""Takes links to foreign hosts out of an answer, while it is streamed.

What the guard must not miss is every spelling that some renderer of Markdown or HTML turns into an
address: entities, backslash escapes, backslashes for slashes, addresses without a scheme, white
space that browsers drop. What it must not let through is a host that only looks like a listed one.
So words are judged whole, and in all spellings: an address is kept only if it is plainly `http(s)`,
with a listed host that ends where the host must end.

Known to pass: bare names without scheme or `www.` (`evil.example/x`), which only some renderers
link, and addresses that are relative to the page that shows the answer.
"""

import html
import re
import unicodedata
from collections.abc import Sequence

REMOVED = "(link removed)"
LONGEST_WORD = 4096
"""A longer run of letters is judged in pieces."""

_BREAK = re.compile(r"[\s\"<>`]|[^\x00-\x7f]")
_SUSPECT = re.compile(r"[:/\\&]|www", re.IGNORECASE)
_SCHEME = r"[a-z][a-z0-9+.\-]{1,30}:[/\\]{2,}"
_SPECIAL = r"(?:https?|wss?|ftp):(?=\S)|(?:mailto|xmpp):(?=[\w.+\-%]+@)|www\."
_RELATIVE = r"(?:^|(?<=[(\"'=:,]))/[/\\]+(?=[^/\\\s]*[.\d\[%@:])"
_ANY_SCHEME = r"[/\\]{2,}|[a-z][a-z0-9+.\-]+:(?=\S)"
_REFERENCE = re.compile(
    rf"(?:(?:(?<=\]\()(?:{_ANY_SCHEME}))|(?:(?<==)|(?<==')|(?<==\())[/\\]{{2,}}"
    rf"|{_SCHEME}|{_SPECIAL}|{_RELATIVE})[^/\\?#\s]*",
    re.IGNORECASE,
)
_AT_DESTINATION = re.compile(rf"(?:{_ANY_SCHEME})", re.IGNORECASE)
_DESTINATION = re.compile(r"\](?:\(|:)\s?<?\s?$")
_PLAIN = re.compile(
    r"(?:https?://|mailto:[\w.+\-]+@)(?P<host>[a-z0-9](?:[a-z0-9.\-]*[a-z0-9])?)(?::\d{1,5})?",
    re.IGNORECASE,
)
_PATH = re.compile(r"[/?#][A-Za-z0-9\-._~%/?#&=+:@]*")
_FOREIGN = re.compile(r"[^\s\"<>`()\[\]{}'|]*")
_CLOSING = re.compile(r"[)\]}'.,;:!?*_~|]*$")
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_NUMBERED = re.compile(r"\\[ux]?0{0,4}([0-9a-f]{2})", re.IGNORECASE)
_DOTS = "\u3002\uff0e\uff61"
"""What names of hosts may hold in place of a dot."""


class LinkGuard:
    """One answer, fed in pieces: `feed` and `rest` give it without links to other hosts."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self._exact = {host for host in hosts if not host.startswith("*")}
        self._below = tuple(host[1:] for host in hosts if host.startswith("*."))
        self.reset()

    def reset(self) -> None:
        """The answer begins again; what was given is void."""
        self.removed = 0
        self._given: list[str] = []
        self._held = ""
        self._tail = ""
        self._in_tag = False
        self._quote = ""

    @property
    def text(self) -> str:
        """All that was given so far."""
        return "".join(self._given)

    def feed(self, piece: str) -> str:
        """What may be shown now; the last word waits for its end."""
        text, at = self._held + piece, 0
        shown: list[str] = []
        for found in _BREAK.finditer(text):
            shown += [self._word(text[at : found.start()], found[0]), self._break(found[0])]
            at = found.end()
        if len(text) - at > LONGEST_WORD:
            cut = len(text) - 1
            shown.append(self._word(text[at:cut], text[cut]))
            at = cut
        self._held = text[at:]
        self._given += shown
        return "".join(shown)

    def rest(self) -> str:
        """The last word, once nothing follows."""
        last, self._held = self._word(self._held, ""), ""
        self._given.append(last)
        return last

    def _word(self, word: str, after: str) -> str:
        """The word without foreign links; `after` is the character that ends it."""
        if not word:
            return word
        self._tags(word)
        destination = _DESTINATION.search(self._tail) is not None
        self._tail = (self._tail + word)[-8:]
        if not _SUSPECT.search(word):
            return word
        if any(_references(spelled) != _references(word) for spelled in _spellings(word)):
            self.removed += 1
            return REMOVED
        return self._checked(word, after, destination=destination)

    def _checked(self, word: str, after: str, *, destination: bool) -> str:
        shown, at = [], 0
        found = _AT_DESTINATION.match(word) if destination else None
        while found := found or _REFERENCE.search(word, at):
            start = found.start()
            shown.append(word[at:start])
            at = self._end_of_allowed(word, start, after)
            if at:
                shown.append(word[start:at])
            else:
                shown.append(REMOVED)
                self.removed += 1
                foreign = _FOREIGN.match(word, start)
                at = max(foreign.end() if foreign else 0, start + 1)
            found = None
        return "".join([*shown, word[at:]])

    def _end_of_allowed(self, word: str, start: int, after: str) -> int:
        """Where the link ends that starts there; 0 if it is foreign."""
        plain = _PLAIN.match(word, start)
        if plain is None or not self._listed(plain["host"].lower()):
            return 0
        end = plain.end()
        if path := _PATH.match(word, end):
            return 0 if plain[0][:7].lower() == "mailto:" else path.end()
        if word[end : end + 1] == ")" and word[max(0, start - 2) : start] == "](":
            return end
        # what follows must not be able to go on the host's name
        ends = _CLOSING.match(word, end) is not None
        return end if ends and (end < len(word) or _separates(after)) else 0

    def _listed(self, host: str) -> bool:
        return host in self._exact or host.endswith(self._below)

    def _tags(self, word: str) -> None:
        """Follow HTML tags: whether an attribute's value is open."""
        if self._tail.endswith("<") and (word[0].isalpha() or word[0] == "/"):
            self._in_tag = True
        if self._quote == "'" and "'" in word:
            self._quote, word = "", word.partition("'")[2]
        if self._in_tag and not self._quote:
            opened = word.rpartition("='")
            if opened[1] and "'" not in opened[2]:
                self._quote = "'"

    def _break(self, mark: str) -> str:
        """A character between words, as it is shown."""
        if mark == '"' and self._quote == '"':
            self._quote = ""
        elif mark == '"' and self._in_tag and not self._quote:
            self._quote = '"' if self._tail.rstrip().endswith("=") else ""
        elif mark == ">" and not self._quote:
            self._in_tag = False
        if mark.isspace():
            self._tail = self._tail.rstrip() + " "
            # browsers drop line ends and tabs inside an address, but not spaces
            return " " if self._quote else mark
        self._tail = (self._tail + mark)[-8:]
        return mark


def _references(word: str) -> list[str]:
    """The beginnings of all addresses, hosts included."""
    return [found[0].lower() for found in _REFERENCE.finditer(word)]


def _spellings(word: str) -> list[str]:
    """The word as renderers of HTML, Markdown, JSON and style sheets may read it."""
    plain = word
    for _ in range(3):
        plain = html.unescape(plain)
    plain = "".join(each for each in plain if each.isprintable())
    return [plain, _ESCAPED.sub(r"\1", plain), _NUMBERED.sub(_numbered, plain)]


def _numbered(found: re.Match[str]) -> str:
    return chr(int(found[1], 16))


def _separates(mark: str) -> bool:
    """Whether a character ends a host's name in every reading."""
    if not mark or mark.isspace() or mark in '"<>`':
        return True
    return unicodedata.category(mark)[0] in "PZS" and mark not in _DOTS and not mark.isascii()
