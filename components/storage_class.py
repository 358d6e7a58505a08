"""The default class of volumes on EKS: encrypted gp3 disks in the zone of their Pod."""

from typing import Any

import pulumi

from components.base import metadata
from components.kubernetes_object import kubernetes_object

DEFAULT_CLASS = {"storageclass.kubernetes.io/is-default-class": "true"}


def storage_class_manifest(name: str) -> dict[str, Any]:
    """A class that claims without a class of their own get."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": metadata(name, component="storage", annotations=DEFAULT_CLASS),
        "provisioner": "ebs.csi.aws.com",
        "parameters": {"type": "gp3", "encrypted": "true"},
        # A disk lives in one zone, so it is made only where its Pod has been placed.
        "volumeBindingMode": "WaitForFirstConsumer",
        "allowVolumeExpansion": True,
        "reclaimPolicy": "Delete",
    }


class StorageClass(pulumi.ComponentResource):
    """The cluster's default storage class, named like the component."""

    def __init__(self, name: str, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("agentic:cluster:StorageClass", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        kubernetes_object(name, storage_class_manifest(name), opts=child)
        self.register_outputs({})
