"""What every Pod on this node shares."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.node_agent.addresses import Addresses
from local.node_agent.api import Api
from local.node_agent.backoff import Backoff
from local.node_agent.events import Events
from local.node_agent.hosts import HostName
from local.node_agent.launch import Machine
from local.node_agent.sources import Lookup, NodeFacts


@dataclass
class NodeContext:
    """One node, one agent."""

    api: Api
    facts: NodeFacts
    machine: Machine
    addresses: Addresses
    events: Events
    config_map: Lookup
    secret: Lookup
    claim: Lookup
    persistent_volume: Lookup
    pods_root: Path
    volumes_root: Path
    logs_root: Path
    host_names: Callable[[], Sequence[HostName]]
    pod_changed: Callable[[Any], None]
    """Called with the `Pod` whose record is not what it was."""
    backoff_seconds: float = 10.0

    def backoff(self) -> Backoff:
        return Backoff(base_seconds=self.backoff_seconds)
