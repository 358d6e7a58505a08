"""Which changes of a manifest Kubernetes allows only on a new object."""

from typing import Any

from local.standin.differences import Path

# From the Kubernetes API reference: fields documented as immutable. ConfigMap and Secret data are
# mutable there, but the plugin replaces them unless enableConfigMapMutable or enableSecretMutable
# is set, so that Pods roll when their configuration changes.
REPLACING: dict[str, tuple[Path, ...]] = {
    "ConfigMap": (("data",), ("binaryData",), ("immutable",)),
    "Secret": (("data",), ("stringData",), ("immutable",), ("type",)),
    "Deployment": (("spec", "selector"),),
    "ReplicaSet": (("spec", "selector"),),
    "DaemonSet": (("spec", "selector"),),
    "StatefulSet": (
        ("spec", "selector"),
        ("spec", "serviceName"),
        ("spec", "podManagementPolicy"),
        ("spec", "volumeClaimTemplates"),
    ),
    "Job": (("spec", "selector"), ("spec", "template"), ("spec", "completionMode")),
    "Pod": (("spec", "containers"), ("spec", "initContainers"), ("spec", "nodeName")),
    "Service": (("spec", "clusterIP"), ("spec", "clusterIPs")),
    "PersistentVolumeClaim": (
        ("spec", "accessModes"),
        ("spec", "selector"),
        ("spec", "storageClassName"),
        ("spec", "volumeName"),
        ("spec", "volumeMode"),
        ("spec", "dataSource"),
    ),
    "StorageClass": (
        ("parameters",),
        ("provisioner",),
        ("reclaimPolicy",),
        ("volumeBindingMode",),
    ),
    "RoleBinding": (("roleRef",),),
    "ClusterRoleBinding": (("roleRef",),),
    "PriorityClass": (("value",), ("preemptionPolicy",)),
    "RuntimeClass": (("handler",),),
    "IngressClass": (("spec", "controller"),),
    "CSIDriver": (("spec", "attachRequired"), ("spec", "fsGroupPolicy")),
}
EVERY_KIND: tuple[Path, ...] = (("kind",), ("metadata", "name"), ("metadata", "namespace"))
MUTABLE_BY_OPTION = {"ConfigMap": {"data", "binaryData"}, "Secret": {"data", "stringData"}}


def replacing_paths(kind: Any, mutable: frozenset[str]) -> list[Path]:
    """The rules for one kind; `mutable` kinds may change their data in place."""
    exempt = MUTABLE_BY_OPTION.get(kind, set()) if kind in mutable else set()
    rules = REPLACING.get(kind, ())
    return [*EVERY_KIND, *(rule for rule in rules if rule[0] not in exempt)]
