"""A model server: what holds a model in memory, and the Service in front of it."""

from pathlib import Path
from typing import Any

from pulumi import ComponentResource, CustomTimeouts, Input, Output, ResourceOptions

from components import model_weights
from components.base import metadata
from components.child_options import child_options
from components.kubernetes_object import kubernetes_object
from components.model_pod import labels, pod_template, selector
from components.model_scaler import ModelScaler
from components.model_server_config import ModelServerConfig
from components.ordering import after
from inference import vllm
from inference.embedded import SCRIPT_FILE

CHECKOUT = Path(__file__).resolve().parent.parent
DEPLOYMENT = ("apps/v1", "Deployment")
GROUP = ("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet")
LEADER_LABEL = "leaderworkerset.sigs.k8s.io/worker-index"


def manifests(
    name: str, config: ModelServerConfig, *, namespace: Any, script: str | None = None
) -> dict[str, dict[str, Any]]:
    """Every object of one server by what it is; `script` is the text for engine `scripted`."""
    meta = metadata(
        name, component="model-serving", namespace=namespace, labels=labels(name, config)
    )
    if config.engine == "external":
        return {"service": _object("v1", "Service", meta, _external_service(config))}
    found = _weights(name, config, namespace)
    if config.nodes > 1:
        found["group"] = _object(*GROUP, meta, group_spec(name, config))
    else:
        found["deployment"] = _object(*DEPLOYMENT, meta, deployment_spec(name, config))
    port = config.serving().port
    service = service_spec(name, port, nodes=config.nodes)
    found["service"] = _object("v1", "Service", meta, service)
    if config.nodes == 1 and (config.replicas > 1 or config.scaling):
        budget = {"maxUnavailable": 1, "selector": {"matchLabels": selector(name)}}
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


def _weights(name: str, config: ModelServerConfig, namespace: Any) -> dict[str, dict[str, Any]]:
    if config.weights.volume is None:
        return {}
    return model_weights.manifests(
        name,
        config.catalogue_model(),
        config.weights.volume,
        namespace=namespace,
        model_secret=config.model_secret,
    )


def deployment_spec(name: str, config: ModelServerConfig) -> dict[str, Any]:
    """A rollout keeps every old replica until a new one has loaded its weights."""
    spec = {
        "progressDeadlineSeconds": _rollout_seconds(config),
        "selector": {"matchLabels": selector(name)},
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
        },
        "template": pod_template(name, config, config.serving()),
    }
    # The autoscaler owns the number where there is one.
    return spec if config.scaling else {"replicas": config.replicas} | spec


def group_spec(name: str, config: ModelServerConfig) -> dict[str, Any]:
    """Spec of a LeaderWorkerSet: `nodes` Pods are one server and live and die together."""
    followers = vllm.worker(config.catalogue_model(), config.options())
    spec = {
        "leaderWorkerTemplate": {
            "size": config.nodes,
            "restartPolicy": "RecreateGroupOnPodRestart",
            "leaderTemplate": pod_template(name, config, config.serving()),
            "workerTemplate": pod_template(name, config, followers, serves=False),
        },
        "rolloutStrategy": {
            "type": "RollingUpdate",
            "rollingUpdateConfiguration": {"maxUnavailable": 0, "maxSurge": 1},
        },
        "startupPolicy": "LeaderCreated",
    }
    return spec if config.scaling else {"replicas": config.replicas} | spec


def _rollout_seconds(config: ModelServerConfig) -> int:
    """A node has to come up and the weights have to load before a rollout counts as stuck."""
    loading = 0 if config.engine == "external" else config.serving().startup_seconds
    servers = config.scaling.max_replicas if config.scaling else config.replicas
    return 600 + servers * loading


def service_spec(name: str, port: int, *, nodes: int = 1) -> dict[str, Any]:
    """Of a server with several nodes only the first answers."""
    leader = {} if nodes == 1 else {LEADER_LABEL: "0"}
    return {
        "selector": selector(name) | leader,
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
        prometheus_url: Input[str] | None = None,
        opts: ResourceOptions | None = None,
    ) -> None:
        """`prometheus_url` is needed where `config.scaling` is given."""
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
        if config.scaling and prometheus_url is not None:
            ModelScaler(
                name,
                config=config.scaling,
                engine=config.engine,
                target=GROUP if config.nodes > 1 else DEPLOYMENT,
                namespace=after(namespace, made),
                prometheus_url=prometheus_url,
                opts=child_options(self, opts),
            )
        self.url = after(
            Output.concat("http://", name, ".", namespace, f".svc.cluster.local:{port}"), made
        )
        self.register_outputs({"url": self.url})
