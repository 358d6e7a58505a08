"""Rules about the vector store that need more than its own settings."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from components.vector_store import TOKEN_SECRET
from components.vector_store_backup import PASSWORD_SECRET
from infra.secret_rules import AGENTS, Wanted, broken_by_entries

if TYPE_CHECKING:
    from infra.config import PlatformConfig


def _passwords(config: "PlatformConfig", _region: str | None) -> Iterator[str]:
    asked = getattr(config.vector_store, "authentication", False)
    secret = config.collections.auth_secret if config.collections else None
    if asked and secret is None:
        yield (
            "vectorStore.authentication: needs collections.authSecret, the Secret with root's "
            "password; without it the password of every new server would stay"
        )
    if secret is not None and not asked:
        yield (
            f"collections.authSecret: got '{secret}', but the vector store asks for no password; "
            "set vectorStore.authentication, or leave it out"
        )


def _secrets(config: "PlatformConfig", _region: str | None) -> Iterator[str]:
    """Whoever needs a password of the store finds it in a Secret."""
    store, plan = config.vector_store, config.collections
    wanted: list[Wanted] = []
    if plan and plan.auth_secret:
        users = ("root", *plan.users)
        wanted += [Wanted(AGENTS, plan.auth_secret, user, "collections") for user in users]
    if getattr(store, "authentication", False):
        wanted.append(Wanted(AGENTS, TOKEN_SECRET, "token", "vectorStore.authentication"))
        if getattr(store, "backup", None):
            wanted.append(Wanted("ai-data", PASSWORD_SECRET, "root", "vectorStore.backup"))
    yield from broken_by_entries(config.secrets.entries, wanted)


STORE_RULES = (_passwords, _secrets)
