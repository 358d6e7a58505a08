"""Groups of nodes, scaling, weights on volumes and pulled images: what a real API server admits."""

from typing import Any

import pytest
from pydantic import ValidationError

from components import image_prepull, model_scaler
from components.model_server import DEPLOYMENT, manifests
from components.model_server_config import ModelServerConfig
from tests.components.pod_check import admit_pod
from tests.harness.api_server import ApiServer

VLLM = {"engine": "vllm", "model": "qwen3-8b", "gpus": 1}
GROUP = {"engine": "vllm", "model": "llama-3.1-405b-instruct", "gpus": 8, "nodes": 2}
SHARED = {
    "engine": "vllm",
    "model": "qwen3-8b",
    "gpus": 1,
    "replicas": 2,
    "modelSecret": "hugging-face",
    "weights": {"source": "volume", "volume": {"sizeGib": 40, "storageClass": "efs"}},
}
SCALED = {**VLLM, "scaling": {"maxReplicas": 4}}


def _config(data: dict[str, Any], **more: Any) -> ModelServerConfig:
    return ModelServerConfig.model_validate({**data, **more})


def _made(data: dict[str, Any], **more: Any) -> dict[str, dict[str, Any]]:
    return manifests("big", _config(data, **more), namespace="ai-inference")


@pytest.mark.api_server
def test_a_group_of_nodes_is_accepted(api_server: ApiServer) -> None:
    api_server.load_crds("lws")
    made = _made(GROUP)
    group = api_server.dry_run(made["group"])["spec"]
    assert group["leaderWorkerTemplate"]["size"] == 2
    templates = made["group"]["spec"]["leaderWorkerTemplate"]
    for part in ("leaderTemplate", "workerTemplate"):
        pod = {"metadata": {"name": "big"}, "spec": {"template": templates[part]}}
        admit_pod(api_server, pod, level="restricted")


@pytest.mark.unit
def test_only_the_first_node_answers() -> None:
    made = _made(GROUP)
    assert "deployment" not in made
    assert made["service"]["spec"]["selector"] == {
        "agentic.dev/server": "big",
        "leaderworkerset.sigs.k8s.io/worker-index": "0",
    }
    template = made["group"]["spec"]["leaderWorkerTemplate"]
    leader = template["leaderTemplate"]["spec"]["containers"][0]
    follower = template["workerTemplate"]["spec"]["containers"][0]
    assert "startupProbe" in leader
    assert "startupProbe" not in follower
    assert "--headless" in follower["args"]


@pytest.mark.api_server
def test_weights_are_fetched_once_and_read_by_all(api_server: ApiServer) -> None:
    made = _made(SHARED)
    for manifest in made.values():
        api_server.dry_run(manifest)
    admit_pod(api_server, made["deployment"], level="restricted")
    job = {"metadata": {"name": "fetch"}, "spec": made["fetch"]["spec"]}
    admit_pod(api_server, job, level="restricted")
    pod = made["deployment"]["spec"]["template"]["spec"]
    claim = {"claimName": "big-weights", "readOnly": True}
    assert {"name": "weights", "persistentVolumeClaim": claim} in pod["volumes"]
    args = pod["containers"][0]["args"]
    assert args[args.index("--model") + 1] == "/weights/qwen3-8b"
    fetch = made["fetch"]["spec"]["template"]["spec"]["containers"][0]
    assert fetch["command"][-2:] == ["/weights/qwen3-8b", "Qwen/Qwen3-8B"]


@pytest.mark.api_server
def test_the_scaler_is_accepted_and_owns_the_number(api_server: ApiServer) -> None:
    api_server.load_crds("keda")
    config = _config(SCALED)
    assert config.scaling is not None
    spec = model_scaler.scaled_object_spec(
        "big",
        config.scaling,
        engine="vllm",
        target=DEPLOYMENT,
        prometheus_url="http://prometheus:9090",
    )
    made = model_scaler.manifest("big", spec, namespace="ai-inference")
    api_server.dry_run(made)
    queries = [trigger["metadata"]["query"] for trigger in spec["triggers"]]
    pods = '{namespace="ai-inference",pod=~"big-.*"}'
    assert queries == [
        f"sum(vllm:num_requests_waiting{pods})",
        f"sum(vllm:kv_cache_usage_perc{pods})",
    ]
    assert "replicas" not in _made(SCALED)["deployment"]["spec"]
    assert "budget" in _made(SCALED)


@pytest.mark.api_server
def test_the_puller_starts_every_image_and_is_admitted(api_server: ApiServer) -> None:
    made = image_prepull.manifest(
        namespace="ai-inference", images={"b:1", "a:1"}, pools={"gpu-inference-pool"}
    )
    api_server.dry_run(made)
    admit_pod(api_server, made, level="restricted")
    containers = made["spec"]["template"]["spec"]["initContainers"]
    assert [container["image"] for container in containers] == ["a:1", "b:1"]


@pytest.mark.unit
def test_gpus_by_claim_ask_nothing_of_the_device_plugin() -> None:
    pod = _made(VLLM, gpuClaim="large-gpu")["deployment"]["spec"]["template"]["spec"]
    resources = pod["containers"][0]["resources"]
    assert "nvidia.com/gpu" not in resources["requests"]
    assert resources["claims"] == [{"name": "gpu"}]
    assert pod["resourceClaims"] == [{"name": "gpu", "resourceClaimTemplateName": "large-gpu"}]


@pytest.mark.unit
def test_a_canary_is_a_second_server_of_the_same_public_name() -> None:
    primary, canary = (
        manifests(name, _config(VLLM, servedNames=["gpt-4"]), namespace="ai-inference")
        for name in ("primary", "canary")
    )
    selectors = [made["service"]["spec"]["selector"] for made in (primary, canary)]
    assert selectors == [{"agentic.dev/server": "primary"}, {"agentic.dev/server": "canary"}]


@pytest.mark.unit
@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({**SCALED, "replicas": 2}, "replicas and scaling both say"),
        ({**VLLM, "scaling": {"minReplicas": 0, "maxReplicas": 2}}, "no gateway of this platform"),
        ({**VLLM, "scaling": {"minReplicas": 3, "maxReplicas": 2}}, "minReplicas 3 is above"),
        ({**VLLM, "weights": {"source": "s3"}}, "source 's3' and uri need each other"),
        (
            {
                **SHARED,
                "weights": {
                    "source": "volume",
                    "volume": {"sizeGib": 40, "storageClass": "gp3", "accessMode": "ReadWriteOnce"},
                },
            },
            "lets one node read the volume, and there are 2 Pods",
        ),
        ({**VLLM, "engine": "sglang", "nodes": 2}, "rendered for one node"),
        ({**VLLM, "extraArgs": ["--max-num-seq", "8"]}, "has no flag --max-num-seq"),
        (
            {**VLLM, "adapters": {"support": {"repository": "acme/l", "base": "qwen3-4b"}}},
            "was trained on 'qwen3-4b', not on 'qwen3-8b'",
        ),
        ({"engine": "llama-cpp", "model": "gemma-3-270m", "nodes": 2}, "nodes and adapters belong"),
    ],
)
def test_what_can_not_work_is_refused(config: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        ModelServerConfig.model_validate(config)
