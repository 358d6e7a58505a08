"""The real rate limit service on a real Valkey, with the settings that the Deployment gives it."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import redis
import yaml

from components.ratelimit import settings
from components.ratelimit_config import LimitsConfig
from components.ratelimit_rules import service_configuration
from local.paths import Cache
from local.toolchain import LIMIT_TOOLS, cached
from tests.harness.workload import Workload, eventually, workload

PASSWORD = "store-password"


@dataclass
class RateLimits:
    """One process of the service; it can be stopped and started again."""

    limits: LimitsConfig
    address: str
    store_port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = field(default=None)
    store_ca: Path | None = None
    """The store is asked over TLS, and this is who signed its certificate."""

    def start(self) -> None:
        config = self.folder / "config"
        config.mkdir(parents=True, exist_ok=True)
        (config / "rules.yaml").write_text(yaml.safe_dump(service_configuration(self.limits)))
        given = settings(tls=self.store_ca is not None) | {
            "GRPC_PORT": str(self.limits.port),
            "RUNTIME_ROOT": str(self.folder),
            "REDIS_URL": f"127.0.0.1:{self.store_port}",
            "REDIS_AUTH": PASSWORD,
        }
        if self.store_ca:
            given["REDIS_TLS_CACERT"] = str(self.store_ca)
        environment = {
            key: value.replace("$(POD_IP)", self.address) for key, value in given.items()
        }
        program = cached(LIMIT_TOOLS, Cache.default())["ratelimit"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [program], env=environment | {"PATH": os.environ["PATH"]}, stdout=log, stderr=log
            )
        eventually(lambda: self._healthy() or None, "the rate limit service to be ready")

    def _healthy(self) -> bool:
        assert self.process
        assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
        try:
            return httpx.get(f"http://{self.address}:8082/healthcheck", timeout=2).is_success
        except httpx.TransportError:
            return False

    def stop(self, *, kill: bool = False) -> None:
        if self.process is None:
            return
        (self.process.kill if kill else self.process.terminate)()
        try:
            # It lets open calls end first, and one that waits for a lost store never does.
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


def counted(store: Workload, group: str, tenant: str) -> int:
    """What the store holds for one tenant in one group of rules."""
    with redis.Redis(port=store.port, password=PASSWORD, decode_responses=True) as client:
        keys = client.keys(f"*limit_{group}_x-tenant-id_{tenant}_*")
        return sum(int(client.get(key) or 0) for key in keys)


@contextmanager
def valkey(folder: Path, *, at: int | None = None) -> Iterator[Workload]:
    """A real store with an append-only file; one that starts in the same folder goes on with it."""
    folder.mkdir(parents=True, exist_ok=True)
    password = folder / "password"
    password.write_text(PASSWORD)
    arguments = ("--password-file", password, "--data", folder / "data")
    with workload("session_store", *arguments, at=at) as store:
        yield store


@contextmanager
def rate_limits(
    limits: LimitsConfig,
    folder: Path,
    *,
    address: str,
    store_port: int,
    store_ca: Path | None = None,
) -> Iterator[RateLimits]:
    """The service at `address`, which nobody else may use."""
    folder.mkdir(parents=True, exist_ok=True)
    service = RateLimits(limits, address, store_port, folder, store_ca=store_ca)
    service.start()
    try:
        yield service
    finally:
        service.stop()
