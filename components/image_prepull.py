"""Engine images on GPU nodes before a server needs them: they are ten gigabytes and more."""

from collections.abc import Collection
from typing import Any

from pulumi import ComponentResource, Input, Output, ResourceOptions

from components.base import metadata
from components.child_options import child_options
from components.gpu_resource import GPU_TOLERATION
from components.kubernetes_object import kubernetes_object
from components.ordering import after
from components.pod_security import restricted_container, restricted_pod
from components.versions import IMAGES

NAME = "model-image-prepull"


def manifest(*, namespace: Any, images: Collection[str], pools: Collection[str]) -> dict[str, Any]:
    """A DaemonSet that starts each image once for nothing, then holds the node's slot with a pause.

    `pools` are the Karpenter NodePools whose nodes get the images.
    """
    selected = {"app": NAME}
    small = {"cpu": "10m", "memory": "32Mi"}

    def container(name: str, image: str) -> dict[str, Any]:
        return {
            "name": name,
            "image": image,
            "resources": {"requests": small, "limits": small},
            "securityContext": restricted_container(),
        }

    pullers = [
        container(f"pull-{number}", image) | {"command": ["true"]}
        for number, image in enumerate(sorted(images))
    ]
    term = {"key": "karpenter.sh/nodepool", "operator": "In", "values": sorted(pools)}
    selection = {"nodeSelectorTerms": [{"matchExpressions": [term]}]}
    pod = {
        "automountServiceAccountToken": False,
        "securityContext": restricted_pod(),
        "priorityClassName": "agentic-batch",
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": selection}},
        "tolerations": [GPU_TOLERATION],
        "initContainers": pullers,
        "containers": [container("pause", IMAGES["pause"])],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": metadata(NAME, component="model-serving", namespace=namespace),
        "spec": {
            "selector": {"matchLabels": selected},
            "template": {"metadata": {"labels": selected}, "spec": pod},
        },
    }


class ImagePrepull(ComponentResource):
    """Engine images on every node of some pools."""

    daemon_set: Output[str]

    def __init__(
        self,
        name: str,
        *,
        images: Collection[str],
        pools: Collection[str],
        namespace: Input[str],
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("agentic:inference:ImagePrepull", name, None, opts)
        made = kubernetes_object(
            name,
            manifest(namespace=namespace, images=images, pools=pools),
            opts=child_options(self, opts),
        )
        self.daemon_set = after(NAME, [made])
        self.register_outputs({"daemon_set": self.daemon_set})
