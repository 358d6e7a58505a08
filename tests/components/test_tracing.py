"""Tracing in its two variants."""

from collections.abc import Iterator
from typing import Any

import pytest

from components.tracing import (
    LANGFUSE_SECRETS,
    EmbeddedTracingConfig,
    LangfuseTracingConfig,
    Tracing,
    langfuse_chart_values,
)
from tests.harness.recording import record

pytestmark = pytest.mark.unit

LANGFUSE = LangfuseTracingConfig(public_url="https://traces.example.com")


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from leaves(each, f"{path}.{key}")
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from leaves(each, f"{path}[{index}]")
    else:
        yield path, value


def test_the_embedded_receiver_takes_otlp_at_the_usual_port() -> None:
    def build() -> dict[str, Any]:
        tracing = Tracing("tracing", config=EmbeddedTracingConfig(), namespace="observability")
        return {"url": tracing.url, "headers": tracing.headers_secret}

    recording = record(build, preview=True)
    assert recording.values == {
        "url": "http://traces.observability.svc.cluster.local:4318/v1/traces",
        "headers": None,
    }


def test_langfuse_comes_after_the_operator_that_its_chart_asks_for() -> None:
    def build() -> dict[str, Any]:
        tracing = Tracing(
            "tracing",
            config=LANGFUSE,
            namespace="observability",
            bucket="traces-1234",
            region="eu-west-1",
        )
        return {"url": tracing.url, "headers": tracing.headers_secret}

    recording = record(build)
    releases = [each.name for each in recording.of_type("helm.sh/v3:Release")]
    assert releases == ["clickhouse-operator", "langfuse"]
    assert recording.values == {
        "url": "http://langfuse-web.observability.svc.cluster.local:3000/api/public/otel/v1/traces",
        "headers": "langfuse-otlp-headers",
    }


def test_every_credential_of_langfuse_is_pinned_to_keys_that_the_secret_has() -> None:
    values = langfuse_chart_values(LANGFUSE, bucket="b", region="eu-west-1")
    credentials = LANGFUSE_SECRETS[0]
    known = credentials.keys.keys() | credentials.literals.keys()
    used = {
        value
        for path, value in leaves(values)
        if path.endswith(("secretKeyRef.key", "SecretKey", "PasswordKey")) and value
    }
    assert used
    assert used <= known
    names = {
        value
        for path, value in leaves(values)
        if path.endswith(("secretKeyRef.name", "xistingSecret", "ExistingSecret"))
    }
    assert names == {"langfuse"}


def test_langfuse_uses_the_bucket_by_identity() -> None:
    storage = langfuse_chart_values(LANGFUSE, bucket="b", region="eu-west-1")["s3"]
    assert storage["deploy"] is False
    assert storage["bucket"] == "b"
    assert not {"accessKeyId", "secretAccessKey"} & storage.keys()
