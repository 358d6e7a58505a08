"""The environment contract."""

import pytest

from agent_runtime.settings import SettingsError, load_settings

pytestmark = pytest.mark.unit


def test_every_variable_of_the_contract_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "NAME": "a",
        "NAMESPACE": "ns",
        "DOCUMENT": "/d",
        "TOOLS": "/t",
        "CATALOG": "/c",
        "BIND_HOST": "10.0.0.1",
        "PORT": "8081",
        "METRICS_PORT": "9091",
        "MODEL_BASE_URL": "http://gateway/v1",
        "MODEL_API_KEY_FILE": "/k",
        "EMBEDDING_MODEL": "e",
        "EMBEDDING_DIMENSION": "768",
        "REDIS_HOST": "r",
        "REDIS_PORT": "6380",
        "REDIS_PASSWORD_FILE": "/p",
        "REDIS_TLS": "true",
        "MILVUS_URL": "http://m:1",
        "MILVUS_TOKEN_FILE": "/m",
        "OTLP_ENDPOINT": "http://o/v1/traces",
        "OTLP_HEADERS_FILE": "/h",
        "AUTH": "jwt",
        "JWKS_FILE": "/j",
        "JWT_ISSUER": "i",
        "JWT_AUDIENCE": "u",
        "SECRETS_DIR": "/s",
        "ALLOWED_HOSTS": "one, Two.svc ,",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"AGENT_{name}", value)
    settings = load_settings()
    read = {name: str(getattr(settings, name.lower())) for name in values}
    assert read == values | {"REDIS_TLS": "True", "ALLOWED_HOSTS": "('one', 'two.svc')"}


def test_empty_variables_count_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PORT", "OTLP_ENDPOINT", "ALLOWED_HOSTS", "REDIS_HOST"):
        monkeypatch.setenv(f"AGENT_{name}", "")
    settings = load_settings()
    assert (settings.port, settings.otlp_endpoint, settings.allowed_hosts) == (8080, None, ())


def test_a_credential_in_a_bad_variable_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_MODEL_BASE_URL", "ftp://user:correct-horse@gateway/v1")
    with pytest.raises(SettingsError, match="AGENT_MODEL_BASE_URL") as refused:
        load_settings()
    assert "correct-horse" not in str(refused.value)


def test_all_bad_variables_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_PORT", "eighty")
    monkeypatch.setenv("AGENT_AUTH", "trust-me")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    lines = str(caught.value).splitlines()
    assert [line.partition("=")[0] for line in lines] == ["AGENT_PORT", "AGENT_AUTH"]
    assert "'gateway', 'jwt' or 'none'" in lines[1]


def test_tokens_need_keys_issuer_and_audience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_AUTH", "jwt")
    monkeypatch.setenv("AGENT_JWT_ISSUER", "https://issuer.local")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    missing = [line.partition(" ")[0] for line in str(caught.value).splitlines()]
    assert missing == ["AGENT_JWKS_FILE", "AGENT_JWT_AUDIENCE"]
