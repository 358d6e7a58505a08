"""The Pod of one model server: its container, its GPUs, its volumes."""

from typing import Any

from components.gpu_claim import claim_of_pod
from components.gpu_resource import GPU_RESOURCE, GPU_TOLERATION
from components.model_server_config import GPU_ENGINES, Amounts, ModelServerConfig
from components.model_weights import claim_name
from components.model_weights_config import MOUNT
from components.pod_security import restricted_container, restricted_pod
from components.versions import IMAGES
from inference.embedded import SCRIPT_FOLDER
from inference.engine import Serving, probes

SERVER_LABEL = "agentic.dev/server"
MODEL_LABEL = "agentic.dev/model"
_PROGRAM_IMAGES = {
    "llama-cpp": "process.local/llama-server:dev",
    "embedding": "process.local/embedding-server:dev",
    "scripted": "process.local/scripted-model:dev",
}


def selector(name: str) -> dict[str, str]:
    return {SERVER_LABEL: name}


def labels(name: str, config: ModelServerConfig) -> dict[str, str]:
    """`app` is the engine: the architecture's `vllm-inference` selects `app: vllm`."""
    model = config.model.replace("/", "-").replace(":", "-").replace("@", "-")
    # the shared Service is for callers that chat
    app = "embedding" if _embeds(config) else config.engine
    return {"app": app, MODEL_LABEL: model[:63], **selector(name)}


def _embeds(config: ModelServerConfig) -> bool:
    return config.engine in GPU_ENGINES and config.catalogue_model().kind == "embedding"


def pod_template(
    name: str, config: ModelServerConfig, serving: Serving, *, serves: bool = True
) -> dict[str, Any]:
    """`serves` is false for the further nodes of a server with several: they have no HTTP."""
    pod: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "priorityClassName": "agentic-serving",
        # A Service called `vllm` would put VLLM_PORT=tcp://… into the engine's own settings.
        "enableServiceLinks": False,
        "securityContext": restricted_pod(),
        # An answer may stream for minutes; the engine finishes it before it goes.
        "terminationGracePeriodSeconds": 180 if config.engine in GPU_ENGINES else 30,
        "containers": [_container(config, serving, serves=serves)],
        "volumes": _volumes(name, config, serving),
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": selector(name)},
            }
        ],
    }
    if config.gpus:
        pod["tolerations"] = [GPU_TOLERATION]
    if config.gpu_claim:
        of_pod, of_container = claim_of_pod(config.gpu_claim)
        pod |= of_pod
        pod["containers"][0]["resources"] |= of_container
    if config.node_pool:
        pod["nodeSelector"] = {"karpenter.sh/nodepool": config.node_pool}
    marks = labels(name, config) | {"app.kubernetes.io/part-of": "agentic-platform"}
    return {"metadata": {"labels": marks}, "spec": pod}


def _container(config: ModelServerConfig, serving: Serving, *, serves: bool) -> dict[str, Any]:
    env: list[dict[str, Any]] = [
        {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        *({"name": key, "value": value} for key, value in serving.env.items()),
    ]
    if config.model_secret:
        reference = {"name": config.model_secret, "key": "token"}
        env.append({"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": reference}})
    container: dict[str, Any] = {
        "name": "model",
        "image": config.image or _PROGRAM_IMAGES.get(config.engine) or IMAGES[config.engine],
        "args": list(serving.args),
        "env": env,
        "ports": [{"name": "http", "containerPort": serving.port}],
        "resources": _resources(config),
        "securityContext": restricted_container(),
        "volumeMounts": _mounts(config, serving),
    }
    if serves:
        container |= probes(serving)
    if serving.command:
        container["command"] = list(serving.command)
    if config.engine in GPU_ENGINES:
        container["lifecycle"] = {"preStop": {"sleep": {"seconds": 10}}}
    return container


def _resources(config: ModelServerConfig) -> dict[str, dict[str, str]]:
    """By default a GPU's share of `ai-inference-quota`: 32 GPUs, 100 CPUs and 500Gi."""
    gpus = config.gpus or 0
    asked = config.requests or (
        Amounts(cpu=str(3 * gpus), memory=f"{16 * gpus}Gi")
        if gpus
        else Amounts(cpu="250m", memory="512Mi")
    )
    most = config.limits or (
        Amounts(cpu=str(6 * gpus), memory=asked.memory) if gpus else Amounts(cpu="2", memory="2Gi")
    )
    requests, limits = asked.model_dump(), most.model_dump()
    if gpus and not config.gpu_claim:
        limits[GPU_RESOURCE] = requests[GPU_RESOURCE] = str(gpus)
    return {"requests": requests, "limits": limits}


def _volumes(name: str, config: ModelServerConfig, serving: Serving) -> list[dict[str, Any]]:
    volumes: list[dict[str, Any]] = [{"name": "tmp", "emptyDir": {}}]
    if serving.shared_memory:
        shared = {"medium": "Memory", "sizeLimit": f"{4 * (config.gpus or 1)}Gi"}
        volumes.append({"name": "shm", "emptyDir": shared})
    if serving.cache_dir:
        volumes.append({"name": "models", "emptyDir": {}})
    if config.weights.volume:
        claim = {"claimName": claim_name(name), "readOnly": True}
        volumes.append({"name": "weights", "persistentVolumeClaim": claim})
    if config.engine == "scripted":
        volumes.append({"name": "script", "configMap": {"name": f"{name}-script"}})
    return volumes


def _mounts(config: ModelServerConfig, serving: Serving) -> list[dict[str, Any]]:
    mounts: list[dict[str, Any]] = [
        {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108 -- a volume of the Pod's own
    ]
    if serving.shared_memory:
        mounts.append({"name": "shm", "mountPath": "/dev/shm"})  # noqa: S108 -- the same
    if serving.cache_dir:
        mounts.append({"name": "models", "mountPath": serving.cache_dir})
    if config.weights.volume:
        mounts.append({"name": "weights", "mountPath": MOUNT, "readOnly": True})
    if config.engine == "scripted":
        mounts.append({"name": "script", "mountPath": SCRIPT_FOLDER, "readOnly": True})
    return mounts
