"""One TLS context for all of httpx's clients in a test process.

Every client, so every `httpx.get`, would read all certificate authorities again: 60 ms of CPU,
also where the test only talks to loopback.
"""

from collections.abc import Iterator
from functools import cache
from ssl import SSLContext
from typing import Any

import pytest
from httpx._transports import default


@pytest.fixture(scope="session", autouse=True)
def _one_tls_context() -> Iterator[None]:
    make: Any = vars(default)["create_ssl_context"]
    shared = cache(make)

    def chosen(verify: Any = True, cert: Any = None, trust_env: bool = True) -> SSLContext:  # noqa: FBT001, FBT002 # httpx's own signature
        if verify is True and cert is None:
            context: SSLContext = shared()
            return context
        made: SSLContext = make(verify=verify, cert=cert, trust_env=trust_env)
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(default, "create_ssl_context", chosen)
        yield
