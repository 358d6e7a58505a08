"""From a container's spec to the sandbox and command that run it, or the reason why not."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.node_agent import environment
from local.node_agent.expansion import expand, expand_all
from local.node_agent.host_view import HostView
from local.node_agent.mount_plan import POD_FOLDER, Mount, MountRefused
from local.node_agent.objects import Manifest
from local.node_agent.sandbox import HOME, Bwrap, Sandbox
from local.node_agent.sources import SourceMissing, Sources
from local.node_agent.subpath import SubPathRefused, resolve_subpath
from local.node_agent.volumes import FILE_KINDS

RUNNABLE_PREFIX = "process.local/"
RESOLVER = Path("/etc/resolv.conf")


class ContainerRefused(Exception):  # noqa: N818 - a waiting reason, as Kubernetes words it
    """A container that can't be started now: `reason` and message of its waiting state."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class PodFolders:
    """Where a Pod's own files lie on the host."""

    root: Path

    @property
    def own(self) -> Path:
        """hosts, hostname, nsswitch.conf."""
        return self.root / "etc"

    def volume(self, name: str) -> Path:
        return self.root / "volumes" / name

    def temporary(self, container: str) -> Path:
        return self.root / "tmp" / container


@dataclass(frozen=True)
class Machine:
    """What all sandboxes of this node share."""

    bwrap: Bwrap
    view: HostView
    environment: Mapping[str, str]
    cache: Path
    """Tools and models; Pods find it where `Cache.default` looks for it, read-only."""


@dataclass(frozen=True)
class Launch:
    """A container ready to be started."""

    sandbox: Sandbox
    command: tuple[str, ...]


VolumePath = Callable[[str], Path]
"""The host folder of a Pod's volume by its name."""


def launch(
    container: Manifest,
    sources: Sources,
    machine: Machine,
    folders: PodFolders,
    volume_path: VolumePath,
) -> Launch:
    """Raises ContainerRefused; makes no process and only the folders that the mounts need."""
    image = container.get("image", "")
    if not image.startswith(RUNNABLE_PREFIX):
        raise ContainerRefused(
            "ImageNotRunnable",
            f"image {image!r} needs a container runtime; this node runs only images "
            f"{RUNNABLE_PREFIX}*, whose command is a program of this machine",
        )
    if not container.get("command"):
        raise ContainerRefused(
            "CreateContainerError",
            f"container {container['name']!r} has no command; on this node it must name one, "
            "because there is no image to take it from",
        )
    facts = {"HOSTNAME": hostname(sources.pod), **machine.environment}
    try:
        variables = environment.resolve(container, sources, facts)
        mounts = _own_mounts(container, folders, machine.cache)
        mounts += _volume_mounts(container, sources.pod, variables, volume_path)
    except SourceMissing as error:
        raise ContainerRefused("CreateContainerConfigError", str(error)) from error
    except (SubPathRefused, OSError) as error:
        raise ContainerRefused("CreateContainerError", str(error)) from error
    security = container.get("securityContext") or {}
    sandbox = Sandbox(
        bwrap=machine.bwrap,
        view=machine.view,
        mounts=tuple(mounts),
        hostname=hostname(sources.pod),
        working_folder=container.get("workingDir") or "/",
        environment=variables,
        read_only_root=bool(security.get("readOnlyRootFilesystem")),
    )
    texts = [*container["command"], *(container.get("args") or [])]
    command = expand_all(texts, variables)
    _check(sandbox, command)
    return Launch(sandbox, tuple(command))


def hostname(pod: Manifest) -> str:
    """The Pod's own host name: `spec.hostname` or its name, 63 characters at most."""
    return str(pod["spec"].get("hostname") or pod["metadata"]["name"])[:63].rstrip("-.")


def _check(sandbox: Sandbox, command: Sequence[str]) -> None:
    try:
        sandbox.arguments()
    except MountRefused as error:
        raise ContainerRefused("CreateContainerError", str(error)) from error
    if not sandbox.find_program(command[0]):
        raise ContainerRefused(
            "RunContainerError", f"exec: {command[0]!r}: executable file not found in $PATH"
        )


def _own_mounts(container: Manifest, folders: PodFolders, cache: Path) -> list[Mount]:
    mounts = [Mount(folders.own, POD_FOLDER, read_only=True)]
    if RESOLVER.exists():
        mounts.append(Mount(RESOLVER.resolve(), str(RESOLVER), read_only=True))
    mounts.append(Mount(folders.temporary(container["name"]), HOME))
    fixed = [m["mountPath"] for m in container.get("volumeMounts") or [] if m.get("readOnly")]
    if cache.exists() and HOME not in fixed:
        mounts.append(Mount(cache, f"{HOME}/.cache/{cache.name}", read_only=True))
    return mounts


def _volume_mounts(
    container: Manifest, pod: Manifest, variables: Mapping[str, str], volume_path: VolumePath
) -> list[Mount]:
    mounts: list[Mount] = []
    kinds = {volume["name"]: volume for volume in pod["spec"].get("volumes") or []}
    for entry in container.get("volumeMounts") or []:
        managed = any(kind in kinds[entry["name"]] for kind in FILE_KINDS)
        source = volume_path(entry["name"])
        inside = expand(entry.get("subPathExpr") or "", variables) or entry.get("subPath") or ""
        if inside:
            source = resolve_subpath(source, inside, create=not managed)
        read_only = managed or bool(entry.get("readOnly"))
        mounts.append(Mount(source, entry["mountPath"], read_only))
    return mounts
