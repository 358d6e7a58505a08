"""The two halves meet here: what the components render is what the runtime's settings read."""

from pathlib import Path
from typing import Any

import pytest

from agent_runtime.settings import Settings
from agents.document import AgentDocument, load_documents
from components.runtime_pod import Surroundings
from inference.catalog import Catalog, default_catalog
from tests.components.test_agent_service import AROUND, CONFIGS, made, pod_parts

pytestmark = pytest.mark.unit

POD = {"metadata.namespace": "ai-agents", "status.podIP": "127.128.0.7"}


def _environment(name: str) -> dict[str, str]:
    """The variables as the kubelet would set them."""
    found = {}
    for each in pod_parts(name)["env"]:
        field = each.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
        found[each["name"]] = POD[field] if field else each["value"]
    return found


@pytest.fixture
def settings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for key, value in _environment(request.param).items():
        monkeypatch.setenv(key, value)
    return Settings()


def projected_files(projected: dict[str, Any]) -> set[str]:
    """Names of the files that a projected volume holds."""
    found = set()
    for source in projected["sources"]:
        token = source.get("serviceAccountToken")
        found |= {token["path"]} if token else {it["path"] for it in source["configMap"]["items"]}
    return found


def _mounted(name: str, path: Path) -> bool:
    """Whether a volume of the Pod gives this file; a ConfigMap must hold it."""
    parts = pod_parts(name)
    volumes = {volume["name"]: volume for volume in parts["volumes"]}
    for mount in parts["volumeMounts"]:
        folder = Path(mount["mountPath"])
        if path.parent == folder:
            volume = volumes[mount["name"]]
            if "projected" in volume:
                return path.name in projected_files(volume["projected"])
            return "secret" in volume or path.name in made(name)["config"]["data"]
    return False


@pytest.mark.parametrize("settings", CONFIGS, indirect=True)
def test_the_settings_take_every_variable_and_find_nothing_missing(settings: Settings) -> None:
    assert settings.problems() == []
    assert settings.name == "customer-support-agent"
    assert settings.bind_host == POD["status.podIP"]
    assert (settings.port, settings.metrics_port) == (8080, 9090)
    assert settings.model_base_url == f"{AROUND.gateway_url}/v1"
    assert settings.otlp_endpoint == AROUND.traces_url
    assert settings.milvus_url == AROUND.vector_store_url
    assert (settings.embedding_model, settings.embedding_dimension) == ("all-minilm-l6-v2", 1536)


@pytest.mark.parametrize("name", CONFIGS)
def test_every_rendered_variable_is_one_that_the_settings_know(name: str) -> None:
    known = {f"AGENT_{field.upper()}" for field in Settings.model_fields}
    assert not set(_environment(name)) - known


@pytest.mark.parametrize(("name", "settings"), [(n, n) for n in CONFIGS], indirect=["settings"])
def test_every_file_that_the_settings_name_is_mounted(name: str, settings: Settings) -> None:
    files = [value for value in settings.model_dump().values() if isinstance(value, Path)]
    files.remove(settings.secrets_dir)
    assert len(files) >= 5
    for file in files:
        assert _mounted(name, file), f"nothing mounts {file}"


@pytest.mark.parametrize("settings", ["none"], indirect=True)
def test_a_tools_secret_lies_where_the_runtime_looks(settings: Settings) -> None:
    assert _mounted("none", settings.secrets_dir / "search-api-token" / "token")
    assert settings.allowed_hosts == ("search-service",)


def test_the_mounted_documents_read_back() -> None:
    data = made("none")["config"]["data"]
    agent = load_documents(data["agent.yaml"])[0]
    assert isinstance(agent, AgentDocument)
    assert agent.spec.model.name == "gpt-4-turbo"
    assert [each.metadata.name for each in load_documents(data["tools.yaml"])] == ["web-search"]
    assert Catalog.model_validate_json(data["catalog.json"]) == default_catalog()


def test_a_store_elsewhere_reaches_the_agent() -> None:
    around = Surroundings(
        **(
            vars(AROUND)
            | {
                "session_store_host": "cache.example.com",
                "session_store_port": 6380,
                "session_store_tls": True,
                "session_store_replicas": 2,
            }
        )
    )
    env: dict[str, Any] = {
        each["name"]: each.get("value")
        for each in made("none", around)["deployment"]["spec"]["template"]["spec"]["containers"][0][
            "env"
        ]
    }
    assert env["AGENT_REDIS_HOST"] == "cache.example.com"
    assert env["AGENT_REDIS_PORT"] == "6380"
    assert env["AGENT_REDIS_TLS"] == "true"
    assert env["AGENT_STORE_REPLICAS"] == "1"
