"""Rules about secrets: what the platform's own Pods mount must be among the Secrets it makes."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pulumi

from agents.document import resolve_tools, secret_keys
from components.secret_store import SecretEntry, read_sources
from infra.documents import Documents

if TYPE_CHECKING:
    from infra.config import PlatformConfig

AGENTS = "ai-agents"


class Wanted(NamedTuple):
    """A key of a Secret that some Pod mounts."""

    namespace: str
    name: str
    key: str
    because: str


def broken_by_entries(entries: Iterable[SecretEntry], wanted: Iterable[Wanted]) -> Iterator[str]:
    """A line for each wanted key that no entry makes in that namespace."""
    made = {
        (namespace, entry.name): {*entry.keys, *entry.literals}
        for entry in entries
        for namespace in entry.namespaces
    }
    for want in dict.fromkeys(wanted):
        keys = made.get((want.namespace, want.name))
        if keys is None:
            yield (
                f"secrets.entries: no Secret '{want.name}' in namespace '{want.namespace}', which "
                f"{want.because} needs with key '{want.key}'; add an entry for it"
            )
        elif want.key not in keys:
            yield (
                f"secrets.entries: Secret '{want.name}' in namespace '{want.namespace}' lacks the "
                f"key '{want.key}', which {want.because} needs; it has: {', '.join(sorted(keys))}"
            )


def platform_wants(config: "PlatformConfig") -> Iterator[Wanted]:
    """What this stack's own components mount, by their configuration alone."""
    for namespace, who in (("ai-data", "sessionStore"), (AGENTS, "agentService")):
        yield Wanted(namespace, "session-store-auth", "password", who)
    yield Wanted(AGENTS, "gateway-api-key", "key", "agentService")
    operator = config.agent_operator
    if operator is not None:
        yield Wanted(AGENTS, operator.database_secret, operator.database_key, "agentOperator")
    if config.samples is not None:
        yield Wanted(AGENTS, "ticketing-token", "token", "samples")
    for name, server in config.model_servers.items():
        if server.model_secret is not None:
            yield Wanted("ai-inference", server.model_secret, "token", f"modelServers.{name}")


def _of_components(config: "PlatformConfig", _region: str | None) -> Iterator[str]:
    yield from broken_by_entries(config.secrets.entries, platform_wants(config))


def require_secrets(config: "PlatformConfig", documents: Documents, *, folder: Path | None) -> None:
    """`pulumi.RunError`, a line each, before any resource: secrets that agents' tools name and no
    entry makes, and files of the source `directory` (in `folder`) that are not there."""
    wanted = [
        Wanted(AGENTS, ref.name, ref.key, f"a tool of agent '{name}'")
        for name, agent in documents.agents.items()
        for ref in secret_keys(resolve_tools(agent, documents.tools))
    ]
    problems = list(broken_by_entries(config.secrets.entries, wanted))
    if problems:
        raise pulumi.RunError("\n".join(problems))
    if folder is not None:
        sources = {it for entry in config.secrets.entries for it in entry.keys.values()}
        read_sources(folder, sorted(sources | {*config.gateway_keys.values()}))


SECRET_RULES = (_of_components,)
