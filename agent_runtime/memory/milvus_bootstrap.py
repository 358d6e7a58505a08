"""Makes what a plan asks for on a Milvus server; doing it again changes nothing.

What is there already is compared with the plan. A difference is reported and left alone: dropping a
collection to give it another shape would lose what agents know.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent_runtime.memory.long_term import collection_name
from agent_runtime.memory.milvus import grpc_status
from agent_runtime.memory.milvus_plan import DEFAULT_DATABASE, MilvusPlan, MilvusUser
from agent_runtime.memory.milvus_privileges import grant_access
from agent_runtime.memory.milvus_schema import drift, make_collection, shape_of, wanted_shape
from agent_runtime.secret_file import SecretFile

ROOT, FACTORY_PASSWORD = "root", "Milvus"  # what every new server has; changed at once
_SECONDS = 30.0


class ServerError(Exception):
    """The server can't be reached, lets nobody in, or lacks what the plan needs; one line."""


class UnreachableError(ServerError):
    """Nobody answers there, or not yet."""


@dataclass
class Outcome:
    """What was made, what was there, and where server and plan differ."""

    made: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    drift: list[str] = field(default_factory=list)
    isolation: str = "unknown"
    """Who refuses a search without a tenant: `server`, or only the `runtime` (Milvus Lite)."""

    def note(self, thing: str, *, made: bool) -> None:
        (self.made if made else self.kept).append(thing)


class MilvusBootstrap:
    """One run against one server."""

    def __init__(
        self, plan: MilvusPlan, url: str, *, secrets: Path, ca_file: Path | None = None
    ) -> None:
        self._plan = plan
        self._url = url
        self._secrets = secrets
        self._tls = {"server_pem_path": str(ca_file), "secure": True} if ca_file else {}
        self._outcome = Outcome()

    def run(self) -> Outcome:
        """Raises ServerError, and SecretUnavailableError for a password that is not mounted."""
        root = self._root_token()
        with self._connected(root) as client:
            self._databases(client)
        for database, collections in self._plan.databases.items():
            with self._connected(root, database) as client:
                for collection in collections:
                    self._collection(client, database, collection_name(collection))
        if self._plan.users:
            with self._connected(root) as client:
                self._users(client)
        return self._outcome

    def _root_token(self) -> str:
        """How root gets in; a server that still has its factory password gets the planned one."""
        if not self._plan.authentication:
            return ""
        password = self._password(ROOT)
        if self._admits(f"{ROOT}:{password}"):
            return f"{ROOT}:{password}"
        if not self._admits(f"{ROOT}:{FACTORY_PASSWORD}"):
            raise ServerError(
                "the server admits root neither with the password of the Secret nor with the one "
                "that new servers have; put root's real password into the Secret"
            )
        with self._connected(f"{ROOT}:{FACTORY_PASSWORD}") as client:
            client.update_password(ROOT, FACTORY_PASSWORD, password)
        self._outcome.note("password of root", made=True)
        return f"{ROOT}:{password}"

    def _databases(self, client: Any) -> None:
        known = set(client.list_databases(timeout=_SECONDS))
        for name in self._plan.databases:
            if name not in known and name != DEFAULT_DATABASE:
                client.create_database(name, timeout=_SECONDS)
            self._outcome.note(f"database {name}", made=name not in known)

    def _collection(self, client: Any, database: str, name: str) -> None:
        dimension = self._plan.embedding_dimension
        made = make_collection(client, name, dimension)
        self._outcome.note(f"collection {database}/{name}", made=made)
        found = drift(shape_of(client, name), wanted_shape(dimension))
        self._outcome.drift += [f"collection {database}/{name}: {line}" for line in found]
        if not found:
            client.load_collection(name, timeout=_SECONDS)
            self._outcome.isolation = _isolation(client, name, dimension)

    def _users(self, client: Any) -> None:
        known = set(self._supported(lambda: client.list_users(timeout=_SECONDS)))
        roles = set(self._supported(lambda: client.list_roles(timeout=_SECONDS)))
        for name, user in self._plan.users.items():
            password = self._password(name)
            if name not in known:
                client.create_user(name, password, timeout=_SECONDS)
            elif not self._admits(f"{name}:{password}", user.databases[0]):
                self._outcome.drift.append(
                    f"user {name}: its password is not the Secret's; change it, or drop the user"
                )
            self._outcome.note(f"user {name}", made=name not in known)
            self._role(client, name, user, known=name in roles)

    def _role(self, client: Any, name: str, user: MilvusUser, *, known: bool) -> None:
        """A role of the user's own name with the privileges of its access."""
        if not known:
            client.create_role(name, timeout=_SECONDS)
        for database in user.databases:
            grant_access(client, name, user.access, database)
        client.grant_role(name, name, timeout=_SECONDS)

    def _password(self, user: str) -> str:
        """The file of the user's name; `user:password`, as clients want it, will do as well."""
        return SecretFile(self._secrets / user).read().removeprefix(f"{user}:")

    def _admits(self, token: str, database: str = "") -> bool:
        from grpc import RpcError
        from pymilvus.exceptions import MilvusException

        try:
            with self._client(token, database) as client:
                client.list_collections(timeout=_SECONDS)
        except (MilvusException, RpcError) as error:
            if _is_refusal(error):
                return False
            raise ServerError(_reason(error)) from None
        return True

    @contextmanager
    def _connected(self, token: str, database: str = "") -> Iterator[Any]:
        """A client; what goes wrong inside is one line."""
        from grpc import RpcError
        from pymilvus.exceptions import MilvusException

        try:
            with self._client(token, "" if database == DEFAULT_DATABASE else database) as client:
                yield client
        except (MilvusException, RpcError) as error:
            raise ServerError(_reason(error)) from None

    @contextmanager
    def _client(self, token: str, database: str) -> Iterator[Any]:
        from pymilvus import MilvusClient, MilvusException

        try:
            client = MilvusClient(
                uri=self._url, token=token, db_name=database, timeout=_SECONDS, **self._tls
            )
        except MilvusException as error:
            if _is_refusal(error):
                raise
            raise UnreachableError(_reason(error)) from None
        try:
            yield client
        finally:
            client.close()

    def _supported(self, call: Callable[[], Any]) -> Any:
        from grpc import RpcError, StatusCode

        try:
            return call()
        except RpcError as error:
            if error.code() is StatusCode.UNIMPLEMENTED:
                raise ServerError(
                    "this server knows no users; drop `users` from the plan"
                ) from None
            raise


def _isolation(client: Any, name: str, dimension: int) -> str:
    """Ask for everybody's passages: a server that keeps tenants apart refuses."""
    from pymilvus.exceptions import MilvusException

    try:
        client.search(
            name,
            data=[[1.0] + [0.0] * (dimension - 1)],
            anns_field="embedding",
            limit=1,
            timeout=_SECONDS,
        )
    except MilvusException:
        return "server"
    return "runtime"


def _is_refusal(error: BaseException) -> bool:
    """Whether the server knows us not; pymilvus calls that a failed connection, its cause tells."""
    if (status := grpc_status(error)) is not None:
        return status in ("UNAUTHENTICATED", "PERMISSION_DENIED")
    text = str(error).lower()
    return any(word in text for word in ("auth", "credential", "password", "permission"))


def _reason(error: Any) -> str:
    details = getattr(error, "details", None)
    message = getattr(error, "message", "") or (details and details()) or str(error)
    first = " ".join(str(message).split())[:200]
    return f"Milvus: {first or type(error).__name__}"
