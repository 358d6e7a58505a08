"""Secrets from a folder and from Secrets Manager."""

import base64
from pathlib import Path
from typing import Any

import pytest
from pulumi import RunError

from components.secret_store import (
    PLATFORM_SECRETS,
    DirectoryConfig,
    ExternalSecretsConfig,
    SecretEntry,
    SecretStore,
    external_secret_manifest,
    secret_store_manifest,
)
from components.tracing import LANGFUSE_SECRETS
from tests.harness.recording import Secret, record

pytestmark = pytest.mark.unit

NAMESPACES = {"ai-data": "ai-data", "ai-agents": "ai-agents"}
SOURCES = {
    "session-store-password": "first",
    "gateway-api-key-agents": "second",
    "ticketing-token": "third",
    "gateway-api-key-demo": "fourth",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in SOURCES.items():
        (tmp_path / name).write_text(f"{text}\n", "utf-8")
    return tmp_path


def test_a_folder_becomes_secrets_in_every_namespace_that_needs_them(folder: Path) -> None:
    def build() -> dict[str, Any]:
        store = SecretStore(
            "secrets",
            config=DirectoryConfig(directory=Path("secrets")),
            namespaces=NAMESPACES,
            root=folder.parent,
        )
        return {"name": store.names["ai-agents"]["session-store-auth"]}

    (folder.parent / "secrets").symlink_to(folder)
    recording = record(build, preview=True)
    made = {
        (each.inputs["metadata"]["namespace"], each.inputs["metadata"]["name"])
        for each in recording.of_type("Secret")
    }
    assert made == {
        ("ai-data", "session-store-auth"),
        ("ai-agents", "session-store-auth"),
        ("ai-agents", "gateway-api-key"),
        ("ai-agents", "ticketing-token"),
    }
    assert recording.values == {"name": "session-store-auth"}


def test_what_a_file_holds_stays_secret(folder: Path) -> None:
    def build() -> dict[str, Any]:
        store = SecretStore(
            "secrets", config=DirectoryConfig(directory=folder), namespaces=NAMESPACES, root=folder
        )
        return {"value": store.value("gateway-api-key-demo")}

    recording = record(build)
    secret = next(
        each
        for each in recording.of_type("Secret")
        if each.inputs["metadata"]["name"] == "ticketing-token"
    )
    assert secret.inputs["data"] == Secret({"token": base64.b64encode(b"third").decode()})
    assert recording.values == {"value": "fourth"}


def test_each_missing_or_empty_file_is_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "ticketing-token").write_text("\n", "utf-8")
    config = DirectoryConfig(directory=tmp_path)
    with pytest.raises(RunError) as caught:
        record(
            lambda: {
                "_": SecretStore(
                    "secrets", config=config, namespaces=NAMESPACES, root=tmp_path
                ).names
            }
        )
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert f"{tmp_path}/session-store-password is missing: `make up` creates it" in str(lines)
    assert f"{tmp_path}/ticketing-token is empty" in str(lines)


def test_an_entry_for_a_namespace_that_is_not_made_is_refused(folder: Path) -> None:
    entry = SecretEntry(name="a", keys={"k": "ticketing-token"}, namespaces=("elsewhere",))
    config = DirectoryConfig(directory=folder, entries=(entry,))
    with pytest.raises(RunError, match=r"elsewhere; it makes: ai-agents, ai-data"):
        record(
            lambda: {"_": SecretStore("s", config=config, namespaces=NAMESPACES, root=folder).names}
        )


def test_with_external_secrets_the_program_never_sees_a_value(tmp_path: Path) -> None:
    config = ExternalSecretsConfig(region="eu-west-1", prefix="agentic-platform/dev/")

    def build() -> dict[str, Any]:
        store = SecretStore("secrets", config=config, namespaces=NAMESPACES, root=tmp_path)
        with pytest.raises(RunError, match="externalSecrets"):
            store.value("ticketing-token")
        return {"name": store.names["ai-data"]["session-store-auth"]}

    recording = record(build, preview=True)
    kinds = sorted({each.type for each in recording.resources})
    assert kinds == [
        "agentic:ground:SecretStore",
        "kubernetes:external-secrets.io/v1:ClusterSecretStore",
        "kubernetes:external-secrets.io/v1:ExternalSecret",
    ]
    assert recording.values == {"name": "session-store-auth"}


def test_an_external_secret_asks_for_the_prefixed_source() -> None:
    config = ExternalSecretsConfig(region="eu-west-1", prefix="agentic-platform/dev/")
    manifest = external_secret_manifest(config, PLATFORM_SECRETS[0], namespace="ai-data")
    assert manifest["spec"]["data"] == [
        {
            "secretKey": "password",
            "remoteRef": {"key": "agentic-platform/dev/session-store-password"},
        }
    ]


def test_only_namespaces_of_the_table_may_use_the_store() -> None:
    manifest = secret_store_manifest(ExternalSecretsConfig(region="eu-west-1"))
    assert manifest["spec"]["conditions"] == [{"namespaces": ["ai-agents", "ai-data"]}]


def test_literals_stand_beside_what_is_fetched() -> None:
    config = ExternalSecretsConfig(region="eu-west-1")
    manifest = external_secret_manifest(config, LANGFUSE_SECRETS[0], namespace="observability")
    template = manifest["spec"]["target"]["template"]
    assert template["mergePolicy"] == "Merge"
    assert template["data"]["USERDB_USER"] == "langfuse"
