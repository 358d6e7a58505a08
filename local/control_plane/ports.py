"""The control plane's ports, and who sits on one that is taken."""

import socket

import psutil

from local.report import UserError

CONTROL_PLANE_PORTS = {
    "etcd": 2379,
    "etcd-peer": 2380,
    "kube-apiserver": 6443,
    "kube-controller-manager": 10257,
    "kube-scheduler": 10259,
    "node-agent": 10250,
}


def is_free(address: str, port: int) -> bool:
    """Whether a server could listen there now; connections in TIME_WAIT don't count."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def require_free(address: str, names: list[str]) -> None:
    """Raises UserError with one line for each port of `names` that is taken."""
    taken = [
        f"{name}: {address}:{CONTROL_PLANE_PORTS[name]} is taken by "
        f"{listener(address, CONTROL_PLANE_PORTS[name])}: end it, then run `make up` again"
        for name in names
        if not is_free(address, CONTROL_PLANE_PORTS[name])
    ]
    if taken:
        raise UserError(*taken)


def listener(address: str, port: int) -> str:
    """`<command> (pid N)` of the process that listens there, as far as this user may know."""
    pid = listener_pid(address, port)
    return f"{_command(pid)} (pid {pid})" if pid else "a process of another user"


def listener_pid(address: str, port: int) -> int | None:
    """Who listens there; None when nobody does or this user may not know."""
    try:
        connections = psutil.net_connections(kind="tcp4")
    except psutil.Error:
        connections = []
    for connection in connections:
        if connection.status != psutil.CONN_LISTEN or connection.laddr.port != port:
            continue
        if connection.laddr.ip in (address, "0.0.0.0") and connection.pid:  # noqa: S104 - compared
            return int(connection.pid)
    return None


def _command(pid: int) -> str:
    try:
        return str(psutil.Process(pid).name())
    except psutil.Error:
        return "a process"
