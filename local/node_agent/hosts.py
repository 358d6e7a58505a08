"""What /etc/hosts says inside a Pod: names of Services and of StatefulSet Pods, without DNS."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.node_agent.objects import Manifest

CLUSTER_DOMAIN = "cluster.local"
NSSWITCH = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\n"


@dataclass(frozen=True)
class HostName:
    """One Service, or one Pod under a headless Service, and the addresses it stands for."""

    namespace: str
    name: str
    """`service`, or `pod.service`."""
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class OwnEntries:
    """What only one Pod's hosts file says."""

    namespace: str
    address: str
    hostname: str
    aliases: Sequence[Manifest] = ()
    """`spec.hostAliases`"""


def render(names: Iterable[HostName], own: OwnEntries) -> str:
    """The hosts file of one Pod."""
    namespace = own.namespace
    lines = ["127.0.0.1\tlocalhost"]
    if own.address:
        lines.append(f"{own.address}\t{own.hostname}")
    for entry in sorted(names, key=lambda e: (e.namespace != namespace, e.namespace, e.name)):
        full = f"{entry.name}.{entry.namespace}"
        known = [f"{full}.svc.{CLUSTER_DOMAIN}", f"{full}.svc", full]
        if entry.namespace == namespace:
            known.append(entry.name)
        lines += [f"{address}\t{' '.join(known)}" for address in entry.addresses]
    for alias in own.aliases:
        lines.append(f"{alias['ip']}\t{' '.join(alias.get('hostnames') or [])}")
    return "\n".join(lines) + "\n"


def write(folder: Path, name: str, text: str) -> None:
    """Replace a file of a Pod's own folder in one step; unchanged ones are left alone.

    The folder is bound into the sandbox, not the file, so a Pod sees the new file.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = folder / name
    if target.exists() and target.read_text() == text:
        return
    draft = folder / f".{name}"
    draft.write_text(text)
    draft.replace(target)
