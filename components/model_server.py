"""A model server: the Deployment that holds a model in memory and the Service in front of it."""

from pathlib import Path
from typing import Any

from pulumi import ComponentResource, CustomTimeouts, Input, Output, ResourceOptions

from components.base import metadata
from components.child_options import child_options
from components.kubernetes_object import kubernetes_object
from components.model_server_config import GPU_ENGINES, Amounts, ModelServerConfig
from components.ordering import after
from components.pod_security import restricted_container, restricted_pod
from components.versions import IMAGES
from inference.embedded import SCRIPT_FILE, SCRIPT_FOLDER
from inference.engine import Serving, probes

MODEL_LABEL = "agentic.dev/model"
CHECKOUT = Path(__file__).resolve().parent.parent
GPU_RESOURCE = "nvidia.com/gpu"
_SERVER = "agentic.dev/server"
_PROGRAM_IMAGES = {
    "llama-cpp": "process.local/llama-server:dev",
    "embedding": "process.local/embedding-server:dev",
    "scripted": "process.local/scripted-model:dev",
}


def manifests(
    name: str, config: ModelServerConfig, *, namespace: Any, script: str | None = None
) -> dict[str, dict[str, Any]]:
    """Every object of one server by what it is; `script` is the text for engine `scripted`."""
    labels = _labels(name, config)
    meta = metadata(name, component="model-serving", namespace=namespace, labels=labels)
    if config.engine == "external":
        return {"service": _object("v1", "Service", meta, _external_service(config))}
    serving = config.serving()
    found = {
        "deployment": _object("apps/v1", "Deployment", meta, deployment_spec(name, config)),
        "service": _object("v1", "Service", meta, service_spec(name, serving.port)),
    }
    if config.replicas > 1:
        budget = {"maxUnavailable": 1, "selector": {"matchLabels": _selector(name)}}
        found["budget"] = _object("policy/v1", "PodDisruptionBudget", meta, budget)
    if config.engine == "scripted":
        found["script"] = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": meta | {"name": f"{name}-script"},
            "data": {SCRIPT_FILE: script or ""},
        }
    return found


def _object(version: str, kind: str, meta: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": meta, "spec": spec}


def _selector(name: str) -> dict[str, str]:
    return {_SERVER: name}


def _labels(name: str, config: ModelServerConfig) -> dict[str, str]:
    """`app` is the engine: the architecture's `vllm-inference` selects `app: vllm`."""
    model = config.model.replace("/", "-").replace(":", "-").replace("@", "-")
    return {"app": config.engine, MODEL_LABEL: model[:63], **_selector(name)}


def deployment_spec(name: str, config: ModelServerConfig) -> dict[str, Any]:
    """A rollout keeps every old replica until a new one has loaded its weights."""
    serving = config.serving()
    labels = _labels(name, config) | {"app.kubernetes.io/part-of": "agentic-platform"}
    pod: dict[str, Any] = {
        "automountServiceAccountToken": False,
        # A Service called `vllm` would put VLLM_PORT=tcp://… into the engine's own settings.
        "enableServiceLinks": False,
        "securityContext": restricted_pod(),
        # An answer may stream for minutes; the engine finishes it before it goes.
        "terminationGracePeriodSeconds": 180 if config.engine in GPU_ENGINES else 30,
        "containers": [_container(config, serving)],
        "volumes": _volumes(name, config, serving),
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": _selector(name)},
            }
        ],
    }
    if config.gpus:
        pod["tolerations"] = [{"key": GPU_RESOURCE, "operator": "Exists", "effect": "NoSchedule"}]
    if config.node_pool:
        pod["nodeSelector"] = {"karpenter.sh/nodepool": config.node_pool}
    return {
        "replicas": config.replicas,
        "progressDeadlineSeconds": _rollout_seconds(config),
        "selector": {"matchLabels": _selector(name)},
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
        },
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }


def _rollout_seconds(config: ModelServerConfig) -> int:
    """A node has to come up and the weights have to load before a rollout counts as stuck."""
    loading = 0 if config.engine == "external" else config.serving().startup_seconds
    return 600 + config.replicas * loading


def _container(config: ModelServerConfig, serving: Serving) -> dict[str, Any]:
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
    } | probes(serving)
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
    if gpus:
        limits[GPU_RESOURCE] = requests[GPU_RESOURCE] = str(gpus)
    return {"requests": requests, "limits": limits}


def _volumes(name: str, config: ModelServerConfig, serving: Serving) -> list[dict[str, Any]]:
    volumes: list[dict[str, Any]] = [{"name": "tmp", "emptyDir": {}}]
    if serving.shared_memory:
        shared = {"medium": "Memory", "sizeLimit": f"{4 * (config.gpus or 1)}Gi"}
        volumes.append({"name": "shm", "emptyDir": shared})
    if serving.cache_dir:
        volumes.append({"name": "models", "emptyDir": {}})
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
    if config.engine == "scripted":
        mounts.append({"name": "script", "mountPath": SCRIPT_FOLDER, "readOnly": True})
    return mounts


def service_spec(name: str, port: int) -> dict[str, Any]:
    return {
        "selector": _selector(name),
        "ports": [{"name": "http", "port": port, "targetPort": "http"}],
        "trafficDistribution": "PreferClose",
    }


def _external_service(config: ModelServerConfig) -> dict[str, Any]:
    return {
        "type": "ExternalName",
        "externalName": config.host,
        "ports": [{"name": "http", "port": config.port}],
    }


class ModelServer(ComponentResource):
    """One model behind the Service `name`, speaking the OpenAI protocol."""

    url: Output[str]
    """Where Pods of the cluster reach it, without a path."""

    def __init__(
        self,
        name: str,
        *,
        config: ModelServerConfig,
        namespace: Input[str],
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("agentic:inference:ModelServer", name, None, opts)
        script = (CHECKOUT / config.script).read_text() if config.script else None
        objects = manifests(name, config, namespace=namespace, script=script)
        port = config.port or config.serving().port
        # A large model loads for longer than Pulumi waits by itself.
        wait = f"{_rollout_seconds(config)}s"
        child = ResourceOptions.merge(
            child_options(self, opts),
            ResourceOptions(custom_timeouts=CustomTimeouts(create=wait, update=wait)),
        )
        made = [
            kubernetes_object(f"{name}-{what}", manifest, opts=child)
            for what, manifest in objects.items()
        ]
        self.url = after(
            Output.concat("http://", name, ".", namespace, f".svc.cluster.local:{port}"), made
        )
        self.register_outputs({"url": self.url})
