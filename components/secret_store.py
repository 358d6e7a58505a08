"""Where secrets come from: AWS Secrets Manager through external-secrets, or a folder of files."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pulumi import ComponentResource, Input, Output, Resource, ResourceOptions, RunError
from pydantic import Field

from components.base import ConfigModel, metadata
from components.kubernetes_object import kubernetes_object
from components.ordering import after

STORE_NAME = "aws-secrets-manager"


class SecretEntry(ConfigModel):
    """One Kubernetes Secret, wanted in one or several namespaces."""

    name: str
    """Name of the Secret object."""
    keys: dict[str, str] = Field(min_length=1)
    """Key in the Secret to the name of its source (a file, or an entry of Secrets Manager)."""
    literals: dict[str, str] = Field(default_factory=dict)
    """Further keys whose content is no secret, such as a user name that a chart reads here."""
    namespaces: tuple[str, ...] = Field(min_length=1)
    """Where the Secret is needed."""


PLATFORM_SECRETS: tuple[SecretEntry, ...] = (
    SecretEntry(
        name="session-store-auth",
        keys={"password": "session-store-password"},
        namespaces=("ai-data", "ai-agents"),
    ),
    SecretEntry(
        name="gateway-api-key",
        keys={"key": "gateway-api-key-agents"},
        namespaces=("ai-agents",),
    ),
    SecretEntry(
        name="ticketing-token", keys={"token": "ticketing-token"}, namespaces=("ai-agents",)
    ),
)
"""What the platform's own workloads mount."""


class ExternalSecretsConfig(ConfigModel):
    """Secrets are kept in AWS Secrets Manager and synchronized by the external-secrets operator."""

    source: Literal["externalSecrets"] = "externalSecrets"
    """Discriminator."""
    region: str = Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")
    """AWS region of the secrets."""
    prefix: str = Field(default="agentic-platform/", pattern=r"^[A-Za-z0-9/_+=.@-]*$")
    """Stands before each source's name in Secrets Manager."""
    refresh_interval: str = Field(default="1h", pattern=r"^\d+[smh]$")
    """How often a changed secret is picked up."""
    entries: tuple[SecretEntry, ...] = PLATFORM_SECRETS
    """The Secrets that are made."""


class DirectoryConfig(ConfigModel):
    """Secrets are files of a folder, one file a source."""

    source: Literal["directory"] = "directory"
    """Discriminator."""
    directory: Path
    """The folder; a relative path starts at the checkout."""
    entries: tuple[SecretEntry, ...] = PLATFORM_SECRETS
    """The Secrets that are made."""


SecretStoreConfig = Annotated[
    ExternalSecretsConfig | DirectoryConfig, Field(discriminator="source")
]


def secret_store_manifest(config: ExternalSecretsConfig) -> dict[str, Any]:
    """The ClusterSecretStore: no `auth` block, so the operator's Pod Identity is what reads.

    Only the namespaces of the table may use it; an ExternalSecret made elsewhere reads nothing.
    """
    return {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ClusterSecretStore",
        "metadata": metadata(STORE_NAME, component="secrets"),
        "spec": {
            "provider": {"aws": {"service": "SecretsManager", "region": config.region}},
            "conditions": [{"namespaces": namespaces_of(config.entries)}],
        },
    }


def external_secret_manifest(
    config: ExternalSecretsConfig, entry: SecretEntry, *, namespace: Any
) -> dict[str, Any]:
    """An ExternalSecret that keeps the Secret `entry.name` in step with its sources."""
    data = [
        {"secretKey": key, "remoteRef": {"key": f"{config.prefix}{source}"}}
        for key, source in entry.keys.items()
    ]
    target: dict[str, Any] = {"name": entry.name, "creationPolicy": "Owner"}
    if entry.literals:
        target["template"] = {"mergePolicy": "Merge", "data": dict(entry.literals)}
    return {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": metadata(entry.name, component="secrets", namespace=namespace),
        "spec": {
            "refreshInterval": config.refresh_interval,
            "secretStoreRef": {"kind": "ClusterSecretStore", "name": STORE_NAME},
            "target": target,
            "data": data,
        },
    }


def secret_manifest(
    entry: SecretEntry, values: Mapping[str, Input[str]], *, namespace: Any
) -> dict[str, Any]:
    """A Secret; `values` maps a source to its content and may hold Outputs."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata(entry.name, component="secrets", namespace=namespace),
        "type": "Opaque",
        "data": {key: _base64(values[source]) for key, source in entry.keys.items()}
        | {key: _base64(text) for key, text in entry.literals.items()},
    }


def namespaces_of(entries: Iterable[SecretEntry]) -> list[str]:
    """Every namespace of the table, sorted."""
    return sorted({namespace for entry in entries for namespace in entry.namespaces})


def read_sources(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """The content of each file; a trailing newline does not count.

    Raises RunError with one line for every file that is missing, empty or unreadable.
    """
    values: dict[str, str] = {}
    problems: list[str] = []
    for name in names:
        try:
            values[name] = (folder / name).read_text("utf-8").rstrip("\r\n")
        except FileNotFoundError:
            problems.append(f"secret file {folder / name} is missing: `make up` creates it")
            continue
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
            problems.append(f"secret file {folder / name} can't be read ({reason})")
            continue
        if not values[name]:
            problems.append(f"secret file {folder / name} is empty: remove it and run `make up`")
    if problems:
        raise RunError("\n".join(problems))
    return values


def _base64(value: Input[str]) -> Any:
    if isinstance(value, str):
        return base64.b64encode(value.encode()).decode()
    return Output.all(value).apply(lambda known: base64.b64encode(known[0].encode()).decode())


class SecretStore(ComponentResource):
    """Every Secret of the table, in every namespace that needs it."""

    names: dict[str, dict[str, Output[str]]]
    """Namespace to Secret name to that name, whose users wait for the object."""

    def __init__(
        self,
        name: str,
        *,
        config: ExternalSecretsConfig | DirectoryConfig,
        namespaces: Mapping[str, Input[str]],
        root: Path,
        opts: ResourceOptions | None = None,
    ) -> None:
        """`namespaces` maps each namespace of the table to its wire; `root` is the checkout."""
        super().__init__("agentic:ground:SecretStore", name, None, opts)
        missing = [each for each in namespaces_of(config.entries) if each not in namespaces]
        if missing:
            raise RunError(
                f"secrets.entries wants namespaces that this stack does not make: "
                f"{', '.join(missing)}; it makes: {', '.join(sorted(namespaces)) or 'none'}"
            )
        self._folder: Path | None = None
        self._values: dict[str, Output[str]] = {}
        needs: list[Resource] = []
        if isinstance(config, DirectoryConfig):
            self._folder = root / config.directory
            self._read(sorted({s for entry in config.entries for s in entry.keys.values()}))
        else:
            own = ResourceOptions(parent=self)
            needs.append(kubernetes_object(name, secret_store_manifest(config), opts=own))
        self.names = {each: {} for each in namespaces_of(config.entries)}
        for entry in config.entries:
            for each in entry.namespaces:
                resource = kubernetes_object(
                    f"{name}-{each}-{entry.name}",
                    self._manifest(config, entry, namespaces[each]),
                    opts=ResourceOptions(parent=self, depends_on=needs),
                )
                self.names[each][entry.name] = after(entry.name, [resource])
        self.register_outputs({"names": self.names})

    def value(self, source: str) -> Output[str]:
        """The secret content of one source; only a folder can hand it to the program."""
        if source not in self._values:
            self._read([source])
        return self._values[source]

    def _read(self, sources: Sequence[str]) -> None:
        if self._folder is None:
            raise RunError(
                f"the content of {', '.join(sources)} is not known to the program when "
                "secrets.source is externalSecrets: choose a variant that mounts the Secret"
            )
        contents = read_sources(self._folder, sources)
        self._values |= {source: Output.secret(text) for source, text in contents.items()}

    def _manifest(
        self,
        config: ExternalSecretsConfig | DirectoryConfig,
        entry: SecretEntry,
        namespace: Input[str],
    ) -> dict[str, Any]:
        if isinstance(config, DirectoryConfig):
            return secret_manifest(entry, self._values, namespace=namespace)
        return external_secret_manifest(config, entry, namespace=namespace)
