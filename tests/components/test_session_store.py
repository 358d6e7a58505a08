"""The session store in its three variants."""

import pytest
from pulumi import Output
from pydantic import TypeAdapter, ValidationError

from components.elasticache import ElastiCacheSessionStoreConfig
from components.embedded_process import deployment_manifest
from components.session_store import (
    AppendFsync,
    ChartSessionStoreConfig,
    EmbeddedSessionStoreConfig,
    SessionStore,
    SessionStoreConfig,
    certificate_manifest,
    embedded_process,
    valkey_chart_values,
)
from tests.harness.recording import Secret, record

pytestmark = pytest.mark.unit


def test_the_embedded_store_gets_its_password_from_a_file() -> None:
    manifest = deployment_manifest(
        embedded_process(EmbeddedSessionStoreConfig()), namespace="ai-data"
    )
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    command = container["command"] + container["args"]
    at = command.index("--password-file")
    assert command[at + 1] == "/var/run/session-store/password"
    assert container["env"] == [
        {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    ]


def test_the_embedded_store_makes_volume_workload_and_service() -> None:
    def build() -> dict[str, object]:
        store = SessionStore(
            "session-store",
            config=EmbeddedSessionStoreConfig(),
            namespace=Output.from_input("ai-data"),
            password_secret="session-store-auth",
        )
        return {"host": store.host, "port": store.port, "tls": store.tls}

    recording = record(build, preview=True)
    kinds = sorted(each.type.rsplit(":", 1)[-1] for each in recording.resources)
    assert kinds == ["Deployment", "PersistentVolumeClaim", "Service", "SessionStore"]
    assert recording.values == {
        "host": "redis-master.ai-data.svc.cluster.local",
        "port": 6379,
        "tls": False,
    }
    pod = recording.of_type("Deployment")[0].inputs["spec"]["template"]["spec"]
    assert {"name": "password", "secret": {"secretName": "session-store-auth"}} in pod["volumes"]


def test_the_chart_never_evicts_and_reads_its_password_from_the_secret() -> None:
    values = valkey_chart_values(ChartSessionStoreConfig(), password_secret="session-store-auth")
    assert "maxmemory-policy noeviction" in values["valkeyConfig"].splitlines()
    assert "appendonly yes" in values["valkeyConfig"].splitlines()
    assert values["auth"]["usersExistingSecret"] == "session-store-auth"
    assert values["auth"]["aclUsers"]["default"]["passwordKey"] == "password"
    assert values["fullnameOverride"] == "redis-master"
    assert values["priorityClassName"] == "agentic-data"
    assert "tls" not in values


@pytest.mark.parametrize("chosen", ["everysec", "always"])
def test_when_a_write_is_on_the_disk_is_data(chosen: AppendFsync) -> None:
    values = valkey_chart_values(
        ChartSessionStoreConfig(append_fsync=chosen), password_secret="session-store-auth"
    )
    assert f"appendfsync {chosen}" in values["valkeyConfig"].splitlines()
    process = embedded_process(EmbeddedSessionStoreConfig(append_fsync=chosen))
    at = process.arguments.index("--append-fsync")
    assert process.arguments[at + 1] == chosen


def test_elasticache_has_no_file_to_sync() -> None:
    with pytest.raises(ValidationError, match="appendFsync"):
        ElastiCacheSessionStoreConfig.model_validate({"appendFsync": "always"})


def test_tls_brings_a_certificate_for_every_name_that_is_dialled() -> None:
    values = valkey_chart_values(
        ChartSessionStoreConfig(tls_issuer="internal"), password_secret="session-store-auth"
    )
    certificate = certificate_manifest("internal", namespace="ai-data")
    assert values["tls"]["existingSecret"] == certificate["spec"]["secretName"]
    assert "redis-master.ai-data.svc.cluster.local" in certificate["spec"]["dnsNames"]
    exporter = values["metrics"]["exporter"]["extraEnvs"]
    assert exporter["REDIS_ADDR"].startswith("rediss://")


def test_elasticache_is_encrypted_and_its_token_comes_from_secrets_manager() -> None:
    def build() -> dict[str, object]:
        store = SessionStore(
            "session-store",
            config=ElastiCacheSessionStoreConfig(protect=False),
            namespace="ai-data",
            password_secret="session-store-auth",
            subnet_ids=Output.from_input(["subnet-a", "subnet-b"]),
            security_group_ids=["sg-1"],
        )
        return {"tls": store.tls}

    token = "aws:secretsmanager/getSecretVersion:getSecretVersion"
    recording = record(build, answers={token: {"secretString": "from-secrets-manager"}})
    group = recording.of_type("ReplicationGroup")[0].inputs
    assert group["transitEncryptionEnabled"] is True
    assert group["atRestEncryptionEnabled"] is True
    assert group["authToken"] == Secret("from-secrets-manager")
    assert recording.invoked[0][1]["secretId"] == "agentic-platform/session-store-password"
    policy = recording.of_type("ParameterGroup")[0].inputs["parameters"]
    assert policy == [{"name": "maxmemory-policy", "value": "noeviction"}]
    assert recording.values["tls"] is True


def test_an_unknown_variant_names_the_known_ones() -> None:
    adapter = TypeAdapter(SessionStoreConfig)
    with pytest.raises(ValidationError, match=r"embedded.*chart.*elasticache"):
        adapter.validate_python({"variant": "memcached"})


def test_clients_of_a_store_with_tls_get_its_ca() -> None:
    def build() -> dict[str, object]:
        store = SessionStore(
            "session-store",
            config=ChartSessionStoreConfig(tls_issuer="internal"),
            namespace="ai-data",
            password_secret="session-store-auth",
        )
        return {"ca": store.ca_secret, "tls": store.tls}

    recording = record(build)
    assert recording.values == {"ca": "redis-master-client-tls", "tls": True}
    made = {
        each.inputs["metadata"]["name"]: each.inputs["metadata"]["namespace"]
        for each in recording.of_type("Certificate")
    }
    assert made == {"redis-master-tls": "ai-data", "redis-master-client-tls": "ai-agents"}
