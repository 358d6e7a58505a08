"""A model server's objects: accepted by a real API server, and refusals before anything is made."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from components import inference_service
from components.model_server import ModelServer, manifests
from components.model_server_config import ModelServerConfig
from tests.components.pod_check import admit_pod
from tests.harness.api_server import ApiServer
from tests.harness.recording import record

CONFIGS: dict[str, dict[str, Any]] = {
    "vllm-gpt4-primary": {
        "engine": "vllm",
        "model": "gpt-oss-120b",
        "servedNames": ["gpt-4"],
        "gpus": 8,
        "replicas": 2,
        "nodePool": "gpu-inference-pool",
        "contextTokens": 65536,
        "modelSecret": "hugging-face",
    },
    "tgi-mixtral": {"engine": "tgi", "model": "mixtral-8x7b-instruct", "gpus": 8},
    "gemma-3-270m": {"engine": "llama-cpp", "model": "gemma-3-270m"},
    "embedding": {"engine": "embedding", "model": "all-minilm-l6-v2"},
    "scripted-model": {"engine": "scripted", "model": "gpt-4-turbo", "script": "README.md"},
    "elsewhere": {"engine": "external", "model": "x", "host": "models.example.com", "port": 443},
}


def _config(name: str) -> ModelServerConfig:
    return ModelServerConfig.model_validate(CONFIGS[name])


def _made(name: str) -> dict[str, dict[str, Any]]:
    return manifests(name, _config(name), namespace="ai-inference", script="rules: []")


def _container(name: str) -> dict[str, Any]:
    containers = _made(name)["deployment"]["spec"]["template"]["spec"]["containers"]
    assert len(containers) == 1
    found: dict[str, Any] = containers[0]
    return found


@pytest.mark.api_server
@pytest.mark.parametrize("name", CONFIGS)
def test_the_api_server_accepts_every_object(api_server: ApiServer, name: str) -> None:
    objects = _made(name)
    for manifest in objects.values():
        api_server.dry_run(manifest)
    if "deployment" in objects:
        admit_pod(api_server, objects["deployment"], level="restricted")


@pytest.mark.api_server
def test_the_shared_service_is_the_architectures(api_server: ApiServer) -> None:
    service = api_server.dry_run(inference_service.manifest(namespace="ai-inference"))
    assert service["metadata"]["name"] == "vllm-inference"
    assert service["metadata"]["annotations"] == {"service.kubernetes.io/topology-mode": "Auto"}
    spec = service["spec"]
    assert (spec["selector"], spec["ports"][0]["port"]) == ({"app": "vllm"}, 8000)
    assert spec["trafficDistribution"] == "PreferClose"


@pytest.mark.unit
def test_the_shared_service_finds_every_vllm_pod() -> None:
    labels = _made("vllm-gpt4-primary")["deployment"]["spec"]["template"]["metadata"]["labels"]
    assert labels["app"] == "vllm"


@pytest.mark.unit
def test_a_gpu_server_asks_for_its_gpus_on_its_pool_and_shares_memory() -> None:
    pod = _made("vllm-gpt4-primary")["deployment"]["spec"]["template"]["spec"]
    resources = pod["containers"][0]["resources"]
    assert resources["limits"]["nvidia.com/gpu"] == resources["requests"]["nvidia.com/gpu"] == "8"
    assert pod["nodeSelector"] == {"karpenter.sh/nodepool": "gpu-inference-pool"}
    assert pod["tolerations"][0]["key"] == "nvidia.com/gpu"
    mounts = {mount["mountPath"]: mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
    shared = next(v for v in pod["volumes"] if v["name"] == mounts["/dev/shm"])
    assert shared["emptyDir"]["medium"] == "Memory"


@pytest.mark.unit
@pytest.mark.parametrize("name", ["vllm-gpt4-primary", "tgi-mixtral"])
def test_a_loading_model_is_never_killed(name: str) -> None:
    container = _container(name)
    startup = container["startupProbe"]
    patience = startup["periodSeconds"] * startup["failureThreshold"]
    weights = 60e9 if name.startswith("vllm") else 87e9
    assert patience > weights / 200e6, "the probe gives up before the weights can be there"
    deadline = _made(name)["deployment"]["spec"]["progressDeadlineSeconds"]
    assert deadline > patience
    assert "livenessProbe" in container


@pytest.mark.unit
@pytest.mark.parametrize(
    ("name", "program"),
    [
        ("gemma-3-270m", "llama_server"),
        ("embedding", "embedding_server"),
        ("scripted-model", "scripted_model"),
    ],
)
def test_a_local_server_listens_on_its_pods_address(name: str, program: str) -> None:
    container = _container(name)
    assert container["command"] == ["python", "-m", f"local.workloads.{program}"]
    assert container["image"].startswith("process.local/")
    at = container["args"].index("--host")
    assert container["args"][at : at + 4] == ["--host", "$(POD_IP)", "--port", "8000"]
    assert (Path("local/workloads") / f"{program}.py").is_file()


@pytest.mark.unit
def test_the_script_reaches_the_pod() -> None:
    made = _made("scripted-model")
    assert made["script"]["data"] == {"script.yaml": "rules: []"}
    volumes = made["deployment"]["spec"]["template"]["spec"]["volumes"]
    assert {"name": "script", "configMap": {"name": "scripted-model-script"}} in volumes
    assert made["script"]["metadata"]["name"] == "scripted-model-script"


@pytest.mark.unit
@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"engine": "vllm", "model": "gpt-oss-120b"}, "engine 'vllm' needs gpus"),
        ({"engine": "vllm", "model": "gpt-oss-12b", "gpus": 1}, "did you mean 'gpt-oss-120b'"),
        ({"engine": "vllm", "model": "qwen3-32b", "gpus": 3}, "gpus"),
        (
            {"engine": "vllm", "model": "qwen3-32b", "gpus": 4, "contextTokens": 99999},
            "supports 40960 tokens",
        ),
        ({"engine": "llama-cpp", "model": "gemma-3-270m", "gpus": 1}, "gpus belongs to engine"),
        ({"engine": "llama-cpp", "model": "all-minilm-l6-v2"}, "serves chat models"),
        ({"engine": "embedding", "model": "gemma-3-270m"}, "serves embedding models"),
        ({"engine": "scripted", "model": "x"}, "engine 'scripted' needs script"),
        ({"engine": "external", "model": "x", "host": "a.example"}, "needs port"),
        ({"engine": "vllm", "model": "qwen3-32b", "gpus": 4, "host": "a"}, "host belongs to"),
    ],
)
def test_a_server_that_can_not_work_is_refused(config: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        ModelServerConfig.model_validate(config)


@pytest.mark.unit
def test_the_component_makes_what_the_manifests_say() -> None:
    def build() -> dict[str, Any]:
        server = ModelServer(
            "scripted-model", config=_config("scripted-model"), namespace="ai-inference"
        )
        return {"url": server.url}

    made = record(build)
    assert made.values["url"] == "http://scripted-model.ai-inference.svc.cluster.local:8000"
    script = made.of_type("ConfigMap")[0].inputs["data"]["script.yaml"]
    assert script == Path("README.md").read_text()
