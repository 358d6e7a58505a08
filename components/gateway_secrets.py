"""The Secrets that a gateway and its rate limit service read, made without being listed."""

from collections.abc import Iterable, Mapping

from components.agentgateway_backends import PROVIDER_KEY, home, provider_secret
from components.agentgateway_objects import KEYS_SECRET, key_entry
from components.gateway_config import GatewayConfig
from components.secret_store import SecretEntry

GATEWAY = "ai-gateway"
GATEWAY_KEYS = "gateway-api-keys"
"""The Secret that kgateway reads API keys from."""
STORE_SECRET = "session-store-auth"  # noqa: S105 -- the name of a Secret


def gateway_entries(
    config: GatewayConfig,
    keys: Mapping[str, str],
    *,
    known: bool,
    entries: Iterable[SecretEntry],
) -> list[SecretEntry]:
    """What comes beside `entries`; `keys` is tenant → source of its API key.

    `known` says whether this program may read the sources; else the secret operator hashes the
    keys, so that the cluster never holds one.
    """
    found = []
    if config.variant == "kgateway" and keys:
        found.append(SecretEntry(name=GATEWAY_KEYS, keys=dict(keys), namespaces=(GATEWAY,)))
    if config.variant == "agentgateway":
        if keys and not known:
            found.append(_hashes(keys))
        found += _providers(config)
    if config.limits:
        found += _of_the_store(entries)
    return found


def _hashes(keys: Mapping[str, str]) -> SecretEntry:
    def digest(tenant: str) -> str:
        return f"{{{{ index . `{tenant}` | sha256sum }}}}"

    hashed = {tenant: key_entry(tenant, digest(tenant)) for tenant in keys}
    return SecretEntry(name=KEYS_SECRET, keys=dict(keys), literals=hashed, namespaces=(GATEWAY,))


def _providers(config: GatewayConfig) -> list[SecretEntry]:
    """A backend reads the key from its own namespace."""
    found = []
    for name, provider in config.providers.items():
        users = [
            route
            for route in config.models
            if any(hosted.provider == name for hosted in route.hosted)
        ]
        if provider.key and users:
            places = sorted({str(home(route, GATEWAY)) for route in users})
            keys = {PROVIDER_KEY: provider.key}
            secret = provider_secret(name)
            found.append(SecretEntry(name=secret, keys=keys, namespaces=tuple(places)))
    return found


def _of_the_store(entries: Iterable[SecretEntry]) -> list[SecretEntry]:
    """The store's password once more, where the rate limit service runs."""
    for entry in entries:
        if entry.name == STORE_SECRET and GATEWAY not in entry.namespaces:
            return [entry.model_copy(update={"namespaces": (GATEWAY,)})]
    return []
