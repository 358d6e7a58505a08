"""Keeping relays, LoadBalancer statuses and hosts files in step with Services and Pods."""

import errno
import logging
import os
from collections.abc import Callable, Iterable

from local.api_transport import ApiError
from local.node_agent.api import Api
from local.node_agent.hosts import HostName
from local.node_agent.objects import Key, Manifest, key_of
from local.node_agent.relay import Address, Relay
from local.node_agent.service_table import Listener, PodEndpoint, service_table

API_SERVER = "default/kubernetes"
LOG = logging.getLogger(__name__)


class Services:
    """`reconcile` makes the node serve what the API server says, as far as ports allow it."""

    def __init__(
        self,
        api: Api,
        *,
        node_ip: str,
        api_server: Address,
        services: Callable[[], Iterable[Manifest]],
        pods: Callable[[], list[PodEndpoint]],
    ) -> None:
        self.names: list[HostName] = []
        self.problems: list[str] = []
        self._api = api
        self._node_ip = node_ip
        self._api_server = api_server
        self._services = services
        self._pods = pods
        self._relays: dict[Address, Relay] = {}
        self._listeners: list[Listener] = []

    @property
    def summary(self) -> list[dict[str, object]]:
        """For `make status`: each relayed port, whether it listens and how many backends it has."""
        return [
            {
                "service": listener.service,
                "address": f"{listener.address[0]}:{listener.address[1]}",
                "listening": self._listens(listener.address),
                "backends": len(listener.backends),
            }
            for listener in self._listeners
        ]

    async def reconcile(self) -> bool:
        """One pass; whether names have changed, so that hosts files must be written anew."""
        services = list(self._services())
        table = service_table(
            services, self._pods(), node_ip=self._node_ip, api_server=self._api_server
        )
        problems = list(table.problems)
        wanted = {listener.address for listener in table.listeners}
        for address in [address for address in self._relays if address not in wanted]:
            self._relays.pop(address).stop_listening()
        for listener in table.listeners:
            relay = self._relays.setdefault(listener.address, Relay(listener.address))
            try:
                await relay.set_backends(listener.backends)
            except OSError as error:
                # Pods are told the API server's own address, so they can do without this one.
                if listener.service != API_SERVER:
                    problems.append(_unbound(listener, error))
        for service in services:
            if key_of(service) in table.balanced:
                await self._publish(service, table.balanced[key_of(service)])
        changed = table.names != self.names
        self._listeners, self.names, self.problems = table.listeners, table.names, problems
        return changed

    def close(self) -> None:
        for relay in self._relays.values():
            relay.close()
        self._relays.clear()

    async def _publish(self, service: Manifest, address: str) -> None:
        ingress = [{"ip": address}]
        known = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
        if [entry.get("ip") for entry in known] == [address]:
            return
        key: Key = key_of(service)
        status = {"status": {"loadBalancer": {"ingress": ingress}}}
        try:
            await self._api.patch("Service", *key, status, subresource="status", form="merge")
        except ApiError as error:
            # It is tried again with the next change; a Service that is gone needs no address.
            LOG.debug("address of Service %s: %s", "/".join(key), error)

    def _listens(self, address: Address) -> bool:
        relay = self._relays.get(address)
        return bool(relay and relay.listening)


def _unbound(listener: Listener, error: OSError) -> str:
    host, port = listener.address
    reason = os.strerror(error.errno or 0)
    text = f"Service {listener.service}: can't listen on {host}:{port} ({reason})"
    if error.errno in (errno.EACCES, errno.EPERM):
        return (
            f"{text}: ports below 1024 need root or "
            f"`sudo sysctl net.ipv4.ip_unprivileged_port_start={port}`"
        )
    return f"{text}: end the program that uses it, or give the Service another port"
