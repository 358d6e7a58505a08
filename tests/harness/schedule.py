"""Which tests stay together on one worker of pytest-xdist, and which worker begins with what.

xdist's own `--dist loadgroup` tells groups to its scheduler through node ids, which pytest 9 no
longer lets it change: it then hands out single tests, and each worker makes every server again.
"""

import re
from functools import cache
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).resolve().parent.parent.parent
ONE_CHAIN = ("tests/e2e/", "tests/local/node_agent/")
"""Folders whose files share a server that takes longer to start than most of the tests."""
API_SERVER = re.compile(r"\bapi_server: ApiServer\b")
APART = ("tests/engine/",)
"""Long enough to be worth an API server on either worker."""


@cache
def chain(file: str) -> str:
    """The name of what runs in order on one worker; `file` as it stands in node ids."""
    for folder in ONE_CHAIN:
        if file.startswith(folder):
            return folder
    if not file.startswith(APART) and API_SERVER.search((ROOT / file).read_text(encoding="utf-8")):
        return "api_server"
    return file


class WholeChains(LoadScopeScheduling):  # type: ignore[misc] # xdist has no types
    """Hands out chains in the order of the collection."""

    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        super().__init__(config, log)
        # by number of tests, one long test would come last and be waited for alone
        self.config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return chain(nodeid.split("::")[0])
