"""The default class of volumes on EKS: encrypted gp3 disks in the zone of their Pod."""

from typing import Any

import pulumi

from components.backup import BACKUP_TAG
from components.base import metadata
from components.kubernetes_object import kubernetes_object

DEFAULT_CLASS = {"storageclass.kubernetes.io/is-default-class": "true"}
PROVISIONER = "ebs.csi.aws.com"
"""The add-on `aws-ebs-csi-driver`."""
AUTO_MODE_PROVISIONER = "ebs.csi.eks.amazonaws.com"
"""The driver that EKS Auto Mode runs outside the cluster."""


def storage_class_manifest(name: str, *, provisioner: str = PROVISIONER) -> dict[str, Any]:
    """A class that claims without a class of their own get; AWS Backup finds its volumes."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": metadata(name, component="storage", annotations=DEFAULT_CLASS),
        "provisioner": provisioner,
        "parameters": {
            "type": "gp3",
            "encrypted": "true",
            "tagSpecification_1": f"{BACKUP_TAG}=true",
        },
        # A disk lives in one zone, so it is made only where its Pod has been placed.
        "volumeBindingMode": "WaitForFirstConsumer",
        "allowVolumeExpansion": True,
        "reclaimPolicy": "Delete",
    }


class StorageClass(pulumi.ComponentResource):
    """The cluster's default storage class, named like the component."""

    def __init__(
        self,
        name: str,
        *,
        provisioner: str = PROVISIONER,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("agentic:cluster:StorageClass", name, None, opts)
        kubernetes_object(
            name,
            storage_class_manifest(name, provisioner=provisioner),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
