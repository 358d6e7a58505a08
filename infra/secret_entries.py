"""Every Secret that components of a stack mount, whoever keeps its content."""

from components.gateway_secrets import gateway_entries
from components.secret_store import SecretEntry
from components.tracing import LANGFUSE_SECRETS, LangfuseTracingConfig
from infra.config import PlatformConfig


def secret_entries(config: PlatformConfig, *, known: bool) -> tuple[SecretEntry, ...]:
    """What `secrets.entries` lists and what variants add to it.

    `known` says whether this program may read the sources.
    """
    wanted = [*config.secrets.entries]
    if isinstance(config.tracing, LangfuseTracingConfig):
        wanted += LANGFUSE_SECRETS
    keys = config.gateway_keys
    wanted += gateway_entries(config.gateway, keys, known=known, entries=config.secrets.entries)
    return tuple(wanted)
