"""A real HTTP server on a free loopback port, in a thread of the test process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from local.workloads.serving import configured, listener


@contextmanager
def serving(app: ASGIApp, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve `app` while the block runs, by default at a free port; gives its base URL."""
    bound = listener(host, port)
    config = configured(app)
    # whoever asked is done or has given up when the block ends: handlers that go on answer nobody
    config.timeout_graceful_shutdown = 1
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=15)
        bound.close()
    assert not thread.is_alive(), "the test server did not stop"
