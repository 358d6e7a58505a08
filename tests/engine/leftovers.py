"""What no state knows and controllers answer for, left in a cluster before its stack goes."""

from typing import Any

from local.crds import load
from local.paths import Cache
from tests.engine.deployment import Deployment
from tests.harness.finalizers import FINALIZER, Finalizers
from tests.infra.platforms import AUTO_MODE

NAME, NAMESPACE = "left-behind", "default"
WATCHED = (
    ("v1", "Service"),
    ("karpenter.sh/v1", "NodeClaim"),
    ("v1", "PersistentVolume"),
)
IN_ORDER = ["Service", "NodeClaim", "PersistentVolume"]
"""Load balancers go while nodes still run their controller, nodes while disks can be detached."""


class Leftovers:
    """A Service of type LoadBalancer, a node, and a claim with its volume."""

    def __init__(self, deployment: Deployment) -> None:
        self._client = deployment.client
        self._auto_mode = deployment.name == AUTO_MODE
        load(deployment.state.kubeconfig, ["nodeclaims.karpenter.sh"], cache=Cache.default())

    def leave(self) -> None:
        """Make them; returns when the claim is bound."""
        for each in (self._service(), self._node(), self._volume(), self._claim()):
            self._client.create(each)
        self._client.wait(
            "v1",
            "PersistentVolume",
            NAME,
            until=lambda it: it is not None and it["status"].get("phase") == "Bound",
        )

    def watched(self) -> Finalizers:
        """What cleans up after them."""
        return Finalizers(self._client, *WATCHED)

    def remaining(self) -> list[str]:
        """Kinds of those that are still there."""
        places = {"Service": NAMESPACE, "PersistentVolumeClaim": NAMESPACE}
        kinds = (*WATCHED, ("v1", "PersistentVolumeClaim"))
        return [
            kind
            for version, kind in kinds
            if self._client.find(version, kind, NAME, places.get(kind))
        ]

    def _service(self) -> dict[str, Any]:
        metadata = {"name": NAME, "namespace": NAMESPACE, "finalizers": [FINALIZER]}
        spec = {"type": "LoadBalancer", "ports": [{"port": 80}]}
        return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}

    def _node(self) -> dict[str, Any]:
        group, kind = "karpenter.k8s.aws", "EC2NodeClass"
        if self._auto_mode:
            group, kind = "eks.amazonaws.com", "NodeClass"
        return {
            "apiVersion": "karpenter.sh/v1",
            "kind": "NodeClaim",
            "metadata": {"name": NAME, "finalizers": [FINALIZER]},
            "spec": {
                "nodeClassRef": {"group": group, "kind": kind, "name": NAME},
                "requirements": [],
            },
        }

    def _volume(self) -> dict[str, Any]:
        driver = "ebs.csi.eks.amazonaws.com" if self._auto_mode else "ebs.csi.aws.com"
        return {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {
                "name": NAME,
                "finalizers": [FINALIZER],
                "annotations": {"pv.kubernetes.io/provisioned-by": driver},
            },
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "capacity": {"storage": "1Gi"},
                "csi": {"driver": driver, "volumeHandle": "vol-0123456789abcdef0"},
                "persistentVolumeReclaimPolicy": "Delete",
                "storageClassName": "",
                "claimRef": {"namespace": NAMESPACE, "name": NAME},
            },
        }

    def _claim(self) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": NAME, "namespace": NAMESPACE},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}},
                "storageClassName": "",
                "volumeName": NAME,
            },
        }
