"""A real Milvus standalone server with passwords and TLS, or one that `MILVUS_URL` names.

The program listens on all addresses and its etcd on a fixed port, and can't be told otherwise: so
it runs in a network of its own, reached through one port of loopback.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from grpc import RpcError
from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from agent_runtime.memory.milvus import MilvusAddress
from agent_runtime.memory.milvus_bootstrap import MilvusBootstrap
from agent_runtime.memory.milvus_plan import DEFAULT_DATABASE, MilvusPlan
from agent_runtime.secret_file import SecretFile
from local.node_agent.sandbox import find_bwrap
from local.paths import CHECKOUT
from local.report import UserError
from tests.harness.milvus_package import PROGRAM, TEMPLATE, milvus_folder
from tests.harness.tls_relay import self_signed
from tests.harness.workload import eventually

FACTORY_PASSWORD, ROOT_PASSWORD = "Milvus", "a-Root-Password-1"
_PORT, _METRICS_PORT = 19530, 9091
_STOP_SECONDS = 30.0
_BLANK = re.compile(r"\{\{\s*(\w+)(?:\((?:int|bool|str)\))?\s*(?::\s*(.*?))?\s*\}\}")


@dataclass(frozen=True)
class VectorStore:
    """How tests reach a Milvus, as root where it asks who is there."""

    url: str
    folder: Path
    """For the files that clients read."""
    ca_file: Path | None = None
    root_password: str = ""
    """Empty: it asks for no password."""
    isolates_tenants: bool = False
    """It refuses a search that names no tenant (2.5 and later)."""

    @property
    def is_server(self) -> bool:
        """Not Milvus Lite: it has users."""
        return bool(self.root_password)

    def client(self, database: str = "", *, user: str = "", password: str = "") -> MilvusClient:
        """A client of `user`, root unless said otherwise."""
        token = f"{user}:{password}" if user else self._token
        tls = {"server_pem_path": str(self.ca_file), "secure": True} if self.ca_file else {}
        return MilvusClient(uri=self.url, token=token, db_name=database, timeout=30, **tls)

    def address(self, database: str = "default") -> MilvusAddress:
        """What the runtime is given."""
        token = SecretFile(self.token_file()) if self.root_password else None
        return MilvusAddress(self.url, token=token, database=database, ca_file=self.ca_file)

    def token_file(self) -> Path:
        """`user:password` of root."""
        file = self.folder / "token"
        file.write_text(self._token)
        return file

    def settings(self) -> dict[str, Any]:
        """Keywords of the runtime's settings."""
        found: dict[str, Any] = {"milvus_url": self.url}
        if self.root_password:
            found["milvus_token_file"] = self.token_file()
        if self.ca_file:
            found["milvus_ca_file"] = self.ca_file
        return found

    def environment(self) -> dict[str, str]:
        """The same as variables."""
        return {f"AGENT_{key.upper()}": str(value) for key, value in self.settings().items()}

    @property
    def _token(self) -> str:
        return f"root:{self.root_password}" if self.root_password else ""


@contextmanager
def milvus_server(folder: Path) -> Iterator[VectorStore]:
    """A server whose root still has the factory's password; skips where none can be had."""
    program = milvus_folder()
    try:
        bwrap = find_bwrap()
    except UserError as reason:
        pytest.skip(str(reason))
    certificate, key = self_signed(folder, "milvus")
    home = _home(folder / "home", program, certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as door:
        store = VectorStore(
            f"https://127.0.0.1:{door.getsockname()[1]}", folder, certificate, FACTORY_PASSWORD
        )
        inside = [sys.executable, "-m", "tests.harness.private_door", str(door.fileno())]
        isolation = ["--unshare-net", "--unshare-pid", "--die-with-parent"]
        places = ["--dev-bind", "/", "/", "--proc", "/proc", "--chdir", str(home)]
        command = [str(bwrap.program), *bwrap.options, *isolation, *places, "--", *inside]
        # for the program alone: the wheel's libraries are older than what Python may want
        started = ["env", f"LD_LIBRARY_PATH={program}", str(program / PROGRAM)]
        log = folder / "log"
        with log.open("wb") as sink:
            process = subprocess.Popen(
                [*command, str(_PORT), *started, "run", "standalone"],
                env=_environment(home),
                stdout=sink,
                stderr=sink,
                pass_fds=[door.fileno()],
            )
        try:
            eventually(lambda: _admits(store, process, log), "Milvus to be ready")
            yield store
        finally:
            _stop(process)


@contextmanager
def prepared_server(folder: Path) -> Iterator[VectorStore]:
    """A server after a bootstrap with an empty plan: root has a password of its own.

    MILVUS_URL names one that somebody else runs, MILVUS_ROOT_PASSWORD and MILVUS_CA_FILE how it is
    entered.
    """
    if url := os.environ.get("MILVUS_URL"):
        authority = os.environ.get("MILVUS_CA_FILE")
        password = os.environ["MILVUS_ROOT_PASSWORD"]
        ca_file = Path(authority) if authority else None
        yield VectorStore(url, folder, ca_file, password, isolates_tenants=True)
        return
    with milvus_server(folder) as new:
        (folder / "root").write_text(ROOT_PASSWORD)
        plan = MilvusPlan(authentication=True, databases={DEFAULT_DATABASE: ()})
        MilvusBootstrap(plan, new.url, secrets=folder, ca_file=new.ca_file).run()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(MilvusClient, "upsert", _upsert_for(new.url))
            yield replace(new, root_password=ROOT_PASSWORD)


def _upsert_for(url: str) -> Callable[..., Any]:
    """`upsert` that at `url` deletes and inserts: before 2.3.10 the server hashes another field
    than the partition key (milvus pull request 30772), so that a tenant misses its own rows.
    """
    real, address = MilvusClient.upsert, url.partition("//")[2]

    def upsert(client: Any, name: str, data: list[dict[str, Any]], **more: Any) -> Any:
        if client._get_connection().server_address != address:
            return real(client, name, data, **more)
        client.delete(name, ids=[row["id"] for row in data], **more)
        return client.insert(name, data, **more)

    return upsert


def _home(home: Path, program: Path, certificate: Path, key: Path) -> Path:
    """The working directory: the program looks for `configs/` in it."""
    for each in ("configs", "data", "logs", "run"):
        (home / each).mkdir(parents=True)
    settings = {
        "etcd_log_path": home / "logs" / "etcd.log",
        "system_log_path": home / "logs",
        "etcd_data_dir": home / "data" / "etcd",
        "local_storage_dir": home / "data",
        "rocksmq_data_dir": home / "data" / "rocksmq",
        "authorization_enabled": "true",
        "tls_mode": "1",
        "server_pem_path": certificate,
        "server_key_path": key,
    }
    text = (program / TEMPLATE).read_text()
    (home / "configs" / "milvus.yaml").write_text(_filled(text, settings))
    shutil.copy(program / "glog.conf", home / "configs")
    return home


def _filled(template: str, settings: Mapping[str, object]) -> str:
    """The wheel's own template with `settings` in place of its defaults."""
    return _BLANK.sub(lambda found: str(settings.get(found[1], found[2])), template)


def _environment(home: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PYTHONPATH": str(CHECKOUT),
        "DEPLOY_MODE": "STANDALONE",
        "METRICS_PORT": str(_METRICS_PORT),
        "MILVUS_RUN_DIR": str(home / "run"),
    }


def _admits(store: VectorStore, process: "subprocess.Popen[bytes]", log: Path) -> bool | None:
    if process.poll() is not None:
        raise AssertionError(f"it ended at once: {log.read_text(errors='replace')[-2000:]}")
    try:
        client = store.client()
        client.list_collections()
    except (MilvusException, RpcError):
        return None
    client.close()
    return True


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
