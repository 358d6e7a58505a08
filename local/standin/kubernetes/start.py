"""An API server that is still being started: the engine works on the program meanwhile."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.kube import KubeClient

STARTER = "AGENTIC_STANDIN_STARTER"
"""Id of the process that is starting the API server; whoever runs the engine sets it."""
START_SECONDS = 120.0
POLL_SECONDS = 0.05


def await_start(client: "KubeClient", environment: Mapping[str, str] = os.environ) -> None:
    """Wait until the API server is ready, as long as its starter lives; at once without one.

    Raises nothing: what is not there in the end, the next call says.
    """
    from local.kube import ApiError

    starter = environment.get(STARTER)
    deadline = time.monotonic() + START_SECONDS
    while starter and Path("/proc", starter).exists() and time.monotonic() < deadline:
        try:
            client.text("/readyz")
        except ApiError:
            time.sleep(POLL_SECONDS)
        else:
            return
