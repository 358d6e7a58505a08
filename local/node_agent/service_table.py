"""What Services mean on this node: where to listen, whom to relay to, which names to know."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from local.node_agent.hosts import HostName
from local.node_agent.objects import Manifest, key_of, matches, named, port_number
from local.node_agent.relay import Address


@dataclass(frozen=True)
class PodEndpoint:
    """A Pod as Services see it."""

    namespace: str
    name: str
    labels: dict[str, str]
    ip: str
    ready: bool
    containers: Sequence[Manifest]
    hostname: str = ""
    subdomain: str = ""

    @classmethod
    def of(cls, pod: Manifest, ip: str, *, ready: bool) -> "PodEndpoint":
        namespace, name = key_of(pod)
        spec = pod["spec"]
        containers = [*spec["containers"], *(spec.get("initContainers") or [])]
        return cls(
            namespace=namespace,
            name=name,
            labels=pod["metadata"].get("labels") or {},
            ip=ip,
            ready=ready,
            containers=containers,
            hostname=spec.get("hostname") or "",
            subdomain=spec.get("subdomain") or "",
        )

    def port(self, target: int | str) -> int | None:
        if isinstance(target, int):
            return target
        for container in self.containers:
            for declared in container.get("ports") or []:
                if declared.get("name") == target:
                    return int(declared["containerPort"])
        return port_number({"name": ""}, target) if target.isdecimal() else None


@dataclass(frozen=True)
class Listener:
    """One Service port at one address of this node."""

    service: str
    """namespace/name"""
    address: Address
    backends: tuple[Address, ...]


@dataclass
class ServiceTable:
    """Everything that follows from the Services and Pods at one moment."""

    listeners: list[Listener] = field(default_factory=list)
    names: list[HostName] = field(default_factory=list)
    balanced: dict[tuple[str, str], str] = field(default_factory=dict)
    """LoadBalancer Services and the address they get."""
    problems: list[str] = field(default_factory=list)


def service_table(
    services: Iterable[Manifest],
    pods: Sequence[PodEndpoint],
    *,
    node_ip: str,
    api_server: Address,
) -> ServiceTable:
    """A port that two LoadBalancer Services claim goes to the first by name."""
    table = ServiceTable()
    taken: dict[Address, str] = {}
    for service in sorted(services, key=key_of):
        members = _members(service, pods)
        table.names += _names(service, members)
        if service["spec"].get("type") == "ExternalName":
            table.problems.append(
                f"Service {named(service)}: type ExternalName is not served on this node"
            )
            continue
        if service["spec"].get("type") == "LoadBalancer":
            table.balanced[key_of(service)] = node_ip
        for listener in _listeners(service, members, node_ip, api_server, table.problems):
            owner = taken.setdefault(listener.address, listener.service)
            if owner == listener.service:
                table.listeners.append(listener)
                continue
            host, port = listener.address
            table.problems.append(
                f"Service {listener.service}: {host}:{port} is already taken by Service {owner}; "
                "give one of them another port"
            )
    return table


def _members(service: Manifest, pods: Sequence[PodEndpoint]) -> list[PodEndpoint]:
    namespace, _ = key_of(service)
    selector = service["spec"].get("selector") or {}
    found = [p for p in pods if p.namespace == namespace and p.ip and matches(selector, p.labels)]
    unready_too = service["spec"].get("publishNotReadyAddresses")
    return [pod for pod in found if pod.ready or unready_too]


def _names(service: Manifest, members: Sequence[PodEndpoint]) -> list[HostName]:
    namespace, name = key_of(service)
    address = service["spec"].get("clusterIP")
    found = [
        HostName(namespace, f"{pod.hostname}.{name}", (pod.ip,))
        for pod in members
        if pod.hostname and pod.subdomain == name
    ]
    if address == "None":
        addresses = tuple(sorted({pod.ip for pod in members}))
        return [HostName(namespace, name, addresses), *found] if addresses else found
    return [HostName(namespace, name, (address,)), *found] if address else found


def _listeners(
    service: Manifest,
    members: Sequence[PodEndpoint],
    node_ip: str,
    api_server: Address,
    problems: list[str],
) -> Iterable[Listener]:
    address = service["spec"].get("clusterIP")
    if not address or address == "None":
        return
    hosts = [address]
    if service["spec"].get("type") == "LoadBalancer":
        hosts.append(node_ip)
    for port in service["spec"].get("ports") or []:
        if port.get("protocol", "TCP") != "TCP":
            problems.append(
                f"Service {named(service)}: port {port['port']}/{port['protocol']} is not relayed "
                "on this node, which knows TCP only"
            )
            continue
        if key_of(service) == ("default", "kubernetes"):
            backends: tuple[Address, ...] = (api_server,)
        else:
            backends = _backends(port, members)
        for host in hosts:
            yield Listener(named(service), (host, port["port"]), backends)


def _backends(port: Manifest, members: Sequence[PodEndpoint]) -> tuple[Address, ...]:
    target: int | str = port.get("targetPort") or port["port"]
    found = ((pod.ip, pod.port(target)) for pod in members)
    return tuple(sorted((ip, number) for ip, number in found if number is not None))
