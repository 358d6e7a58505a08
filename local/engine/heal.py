"""What a killed run leaves in the file backend, and how it is put right."""

import json
import os
import socket
from pathlib import Path
from typing import Any

from local.kubeconfig import write_private


def checkpoint(backend: Path, project: str, stack: str) -> Path:
    """The file that holds a stack's state."""
    return backend / ".pulumi" / "stacks" / project / f"{stack}.json"


def heal(
    backend: Path, project: str, stack: str, *, stand_ins: bool, before_destroy: bool = False
) -> list[str]:
    """Remove locks whose engine is gone, half a write and, with `stand_ins`, operations that
    it never finished.

    Real plugins may have made things in a cloud that the state does not know, so their unfinished
    operations stay for `pulumi refresh`. The stand-ins find their own objects again when an
    update makes them once more; before a destroy, objects that may exist are put into state.
    Returns what was done, one line each.
    """
    done = _remove_stale_locks(backend, project, stack)
    if not done_by_another(backend, project, stack):
        file = checkpoint(backend, project, stack)
        done += _drop_torn_attributes(file)
        if stand_ins:
            done += _finish_operations(file, adopt=before_destroy)
    return done


def done_by_another(backend: Path, project: str, stack: str) -> bool:
    """Whether a living engine works on the stack now."""
    return any(_lock_folder(backend, project, stack).glob("*.json"))


def _lock_folder(backend: Path, project: str, stack: str) -> Path:
    return backend / ".pulumi" / "locks" / "organization" / project / stack


def _remove_stale_locks(backend: Path, project: str, stack: str) -> list[str]:
    done = []
    for lock in _lock_folder(backend, project, stack).glob("*.json"):
        owner = _read(lock)
        if owner is None or _is_gone(owner):
            lock.unlink(missing_ok=True)
            pid = (owner or {}).get("pid", "unknown")
            done.append(f"stack {stack}: removed the lock of a run that is gone (pid {pid})")
    return done


def _is_gone(owner: dict[str, Any]) -> bool:
    """Only a lock of this machine can be judged: its process has ended, or is no engine."""
    if owner.get("hostname") != socket.gethostname():
        return False
    pid = int(owner.get("pid", 0))
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    try:
        command = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return True
    return "pulumi" not in command


def _drop_torn_attributes(file: Path) -> list[str]:
    """What the backend keeps beside the state is written in place (gocloud.dev/blob/fileblob): cut
    short, it makes the state unreadable; without it, nothing is missed."""
    attributes = file.with_name(f"{file.name}.attrs")
    if not attributes.is_file() or _read(attributes) is not None:
        return []
    attributes.unlink(missing_ok=True)
    return [f"removed {attributes.name}, which a killed run left half written"]


def _finish_operations(file: Path, *, adopt: bool) -> list[str]:
    document = _read(file)
    latest = ((document or {}).get("checkpoint") or {}).get("latest") or {}
    pending = latest.get("pending_operations") or []
    if not document or not pending:
        return []
    latest["pending_operations"] = []
    if adopt:
        latest.setdefault("resources", []).extend(_adopted(pending))
    write_private(file, json.dumps(document, indent=4))
    names = ", ".join(str(p["resource"]["urn"]).rsplit("::", 1)[-1] for p in pending[:5])
    more = f" and {len(pending) - 5} more" if len(pending) > 5 else ""
    return [f"cleared {len(pending)} operation(s) that a killed run left open: {names}{more}"]


def _adopted(pending: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Objects that a run may have made before it was killed, as a destroy needs them in state."""
    found = []
    for operation in pending:
        resource = operation["resource"]
        metadata = (resource.get("inputs") or {}).get("metadata") or {}
        name = metadata.get("name")
        if operation.get("type") == "creating" and isinstance(name, str):
            identity = "/".join(part for part in (metadata.get("namespace"), name) if part)
            found.append(resource | {"id": identity, "outputs": resource["inputs"]})
    return found


def _read(file: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None
