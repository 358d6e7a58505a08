"""The AWS CLI, and moto's server in the place of AWS: a stand-in, that holds no account."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from local.paths import Cache
from tests.harness import own_environment
from tests.harness.processes import wait_until
from tests.harness.workload import free_port

AWS_CLI = "awscli==1.46.3"
MOTO = "moto[server]==5.2.5"


def folder() -> Path:
    """Where `aws` and `moto_server` are; made once, skips where that can't be."""
    name = "-".join(it.partition("==")[2] for it in (AWS_CLI, MOTO))
    home = Cache.default().root / "aws-cli" / name
    return own_environment.interpreter(home, AWS_CLI, MOTO).parent


@contextmanager
def aws_server() -> Iterator[str]:
    """Address of an empty account of moto."""
    port = free_port()
    process = subprocess.Popen(
        [folder() / "moto_server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        assert process.poll() is None, "moto's server ended"
        try:
            return httpx.get(f"{address}/moto-api/", timeout=5).status_code < 500
        except httpx.TransportError:
            return False

    try:
        wait_until(answers, what="moto's server answers")
        yield address
    finally:
        process.terminate()
        process.wait(timeout=30)
