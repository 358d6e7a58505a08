"""The vector store in its two variants."""

from typing import Any

import pytest
import yaml
from pulumi import Output

from components.vector_store import (
    ChartVectorStoreConfig,
    EmbeddedVectorStoreConfig,
    VectorStore,
)
from components.vector_store_backup import VectorStoreBackupConfig
from tests.harness.recording import Recording, record

pytestmark = pytest.mark.unit


def build_chart(config: ChartVectorStoreConfig) -> Recording:
    def build() -> dict[str, Any]:
        store = VectorStore(
            "vector-store",
            config=config,
            namespace="ai-data",
            bucket=Output.from_input("vectors-1234"),
            region="eu-west-1",
        )
        return {"url": store.url}

    return record(build)


def values_of(recording: Recording) -> dict[str, Any]:
    values: dict[str, Any] = recording.of_type("helm.sh/v3:Release")[0].inputs["values"]
    return values


@pytest.mark.parametrize("mode", ["standalone", "cluster"])
def test_the_chart_keeps_data_in_the_bucket_by_identity(mode: str) -> None:
    recording = build_chart(ChartVectorStoreConfig.model_validate({"mode": mode}))
    values = values_of(recording)
    storage = values["externalS3"]
    assert storage["useIAM"] is True
    assert storage["bucketName"] == "vectors-1234"
    assert storage["host"] == "s3.eu-west-1.amazonaws.com"
    assert not {"accessKey", "secretKey"} & storage.keys()
    assert values["cluster"]["enabled"] is (mode == "cluster")
    assert recording.values == {"url": "http://milvus.ai-data.svc.cluster.local:19530"}


def test_no_broker_comes_along() -> None:
    values = values_of(build_chart(ChartVectorStoreConfig()))
    for broker in ("pulsarv3", "kafka", "minio"):
        assert values[broker] == {"enabled": False}
    assert values["streaming"]["woodpecker"]["embedded"] is True


def test_the_embedded_store_has_the_same_address() -> None:
    def build() -> dict[str, Any]:
        config = EmbeddedVectorStoreConfig()
        return {"url": VectorStore("vector-store", config=config, namespace="ai-data").url}

    recording = record(build, preview=True)
    assert recording.values == {"url": "http://milvus.ai-data.svc.cluster.local:19530"}
    pod = recording.of_type("Deployment")[0].inputs["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert container["command"] == ["python", "-m", "local.workloads.vector_store"]
    assert container["args"][:4] == ["--host", "$(POD_IP)", "--port", "19530"]
    data = next(each for each in pod["volumes"] if each["name"] == "data")
    assert data["persistentVolumeClaim"]["claimName"] == "milvus"


def test_the_chart_without_a_bucket_is_refused() -> None:
    with pytest.raises(ValueError, match="bucket"):
        record(
            lambda: {
                "_": VectorStore(
                    "vector-store", config=ChartVectorStoreConfig(), namespace="ai-data"
                ).url
            }
        )


def test_password_and_tls_are_switched_on_by_data() -> None:
    config = ChartVectorStoreConfig(authentication=True, tls_issuer="internal")

    def build() -> dict[str, Any]:
        store = VectorStore(
            "vector-store",
            config=config,
            namespace="ai-data",
            bucket=Output.from_input("vectors-1234"),
            region="eu-west-1",
        )
        return {"url": store.url, "ca": store.ca_secret, "token": store.token_secret}

    recording = record(build)
    assert recording.values == {
        "url": "https://milvus.ai-data.svc.cluster.local:19530",
        "ca": "milvus-client-tls",
        "token": "milvus-token",
    }
    values = values_of(recording)
    settings = yaml.safe_load(values["extraConfigFiles"]["user.yaml"])
    assert settings["common"]["security"] == {"authorizationEnabled": True, "tlsMode": 1}
    assert settings["tls"]["serverPemPath"] == "/etc/milvus/certs/tls.crt"
    assert values["volumes"][0]["secret"]["secretName"] == "milvus-tls"
    certificates = {
        each.inputs["metadata"]["name"]: each for each in recording.of_type("Certificate")
    }
    assert certificates["milvus-tls"].inputs["metadata"]["namespace"] == "ai-data"
    assert certificates["milvus-client-tls"].inputs["metadata"]["namespace"] == "ai-agents"


def test_without_password_and_tls_the_chart_keeps_its_own_settings() -> None:
    values = values_of(build_chart(ChartVectorStoreConfig()))
    assert "extraConfigFiles" not in values


def test_every_role_has_resources() -> None:
    values = values_of(build_chart(ChartVectorStoreConfig()))
    for role in ("proxy", "queryNode", "dataNode", "streamingNode", "mixCoordinator"):
        assert values[role]["resources"]["limits"]["memory"]


def test_a_backup_is_a_cron_job_with_the_buckets_identity() -> None:
    config = ChartVectorStoreConfig(
        authentication=True, tls_issuer="internal", backup=VectorStoreBackupConfig()
    )
    recording = build_chart(config)
    (job,) = recording.of_type("CronJob")
    pod = job.inputs["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "milvus"
    assert pod["enableServiceLinks"] is False
    assert pod["containers"][0]["env"][0]["valueFrom"]["secretKeyRef"]["key"] == "root"
    (plan,) = recording.of_type("ConfigMap")
    settings = yaml.safe_load(plan.inputs["data"]["backup.yaml"])
    assert (
        settings["minio"]["bucketName"] == settings["minio"]["backupBucketName"] == "vectors-1234"
    )
    assert settings["minio"]["rootPath"] == values_of(recording)["externalS3"]["rootPath"]
    assert settings["minio"]["useIAM"] is settings["minio"]["backupUseIAM"] is True
    assert settings["milvus"]["tlsMode"] == 1
    assert "password" not in settings["milvus"]
    pause = settings["backup"]["gcPause"]
    assert pause == {"enable": True, "address": f"http://{settings['milvus']['address']}:9091"}
