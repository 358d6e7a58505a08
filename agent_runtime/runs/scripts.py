"""The Lua programs that change runs: each is one atomic step in the store."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from redis.exceptions import NoScriptError

_FOLDER = Path(__file__).parent / "lua"
_COMMON = (_FOLDER / "common.lua").read_text(encoding="utf-8")

Arguments = Sequence[str | bytes | int | float]


class Script:
    """One program, sent by its hash once the server knows it."""

    def __init__(self, name: str) -> None:
        self.text = _COMMON + (_FOLDER / f"{name}.lua").read_text(encoding="utf-8")
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    async def run(self, redis: Any, keys: Sequence[str], arguments: Arguments) -> Any:
        try:
            return await redis.evalsha(self.sha, len(keys), *keys, *arguments)
        except NoScriptError:
            return await redis.eval(self.text, len(keys), *keys, *arguments)


SUBMIT = Script("submit")
CLAIM = Script("claim")
WRITE = Script("write")
ANSWER = Script("answer")
CANCEL = Script("cancel")
BEAT = Script("beat")
LEAVE = Script("leave")
REAP = Script("reap")
