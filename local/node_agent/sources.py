"""Where container environments and volumes get their values from: the Pod, ConfigMaps, Secrets."""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from local.node_agent.objects import Manifest
from local.node_agent.quantities import divided

Lookup = Callable[[str, str], Manifest | None]
"""An object by namespace and name, or None."""
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")


class SourceMissing(LookupError):  # noqa: N818 - a state that ends when the object is made
    """A ConfigMap, Secret, key or field that a Pod asks for does not exist."""


@dataclass(frozen=True)
class NodeFacts:
    """What Pods may learn about the node they run on."""

    name: str
    ip: str
    capacity: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sources:
    """Everything a Pod's environment and volumes are made of."""

    pod: Manifest
    pod_ip: str
    node: NodeFacts
    config_map: Lookup
    secret: Lookup

    @property
    def namespace(self) -> str:
        return str(self.pod["metadata"]["namespace"])

    def config_data(self, name: str) -> dict[str, bytes]:
        """All keys of a ConfigMap; raises SourceMissing."""
        found = self.config_map(self.namespace, name)
        if found is None:
            raise SourceMissing(f'configmap "{name}" not found')
        binary = {key: base64.b64decode(v) for key, v in (found.get("binaryData") or {}).items()}
        return {key: v.encode() for key, v in (found.get("data") or {}).items()} | binary

    def secret_data(self, name: str) -> dict[str, bytes]:
        """All keys of a Secret, decoded; raises SourceMissing."""
        found = self.secret(self.namespace, name)
        if found is None:
            raise SourceMissing(f'secret "{name}" not found')
        return {key: base64.b64decode(v) for key, v in (found.get("data") or {}).items()}

    def field(self, path: str) -> str:
        """A downward API field as text; raises SourceMissing for a path that is not supported."""
        metadata, spec = self.pod["metadata"], self.pod["spec"]
        if found := _SUBSCRIPT.fullmatch(path):
            return str((metadata.get(found.group(1)) or {}).get(found.group(2), ""))
        if path in ("metadata.labels", "metadata.annotations"):
            pairs = metadata.get(path.split(".")[1]) or {}
            return "\n".join(f"{key}={_quoted(value)}" for key, value in sorted(pairs.items()))
        plain = {
            "metadata.name": metadata["name"],
            "metadata.namespace": metadata["namespace"],
            "metadata.uid": metadata["uid"],
            "spec.nodeName": self.node.name,
            "spec.serviceAccountName": spec.get("serviceAccountName", "default"),
            "status.podIP": self.pod_ip,
            "status.podIPs": self.pod_ip,
            "status.hostIP": self.node.ip,
            "status.hostIPs": self.node.ip,
        }
        if path not in plain:
            raise SourceMissing(f"fieldPath {path!r} is not supported")
        return str(plain[path])

    def resource(self, reference: Manifest, default_container: str | None = None) -> str:
        """A `resourceFieldRef`; an unset limit is what the node has, an unset request is 0."""
        wanted = reference.get("containerName") or default_container
        every = [*self.pod["spec"]["containers"], *(self.pod["spec"].get("initContainers") or [])]
        container = next((c for c in every if c["name"] == wanted), None)
        if container is None:
            raise SourceMissing(f"container {wanted!r} of a resourceFieldRef does not exist")
        side, _, resource = reference["resource"].partition(".")
        declared = container.get("resources") or {}
        quantity = (declared.get(side) or {}).get(resource)
        if quantity is None:
            quantity = self.node.capacity.get(resource, "0") if side == "limits" else "0"
        return divided(quantity, reference.get("divisor"))


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
