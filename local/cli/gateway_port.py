"""The gateway's port, looked at before anything is deployed that would wait for it."""

from local.cli import platform
from local.control_plane.ports import is_free, listener, listener_pid
from local.paths import State
from local.report import UserError
from local.supervisor import NODE_AGENT


def require_port(state: State, port: int | None) -> None:
    """Raises UserError when a program that is not of this platform listens on the node's `port`."""
    running = platform.find(state)
    if running is None or port is None or is_free(running.node_ip, port):
        return
    holder = listener_pid(running.node_ip, port)
    if holder is not None and holder == running.status["processes"].get(NODE_AGENT, {}).get("pid"):
        return
    raise UserError(
        f"gateway.port: {running.node_ip}:{port} is taken by {listener(running.node_ip, port)}: "
        "end it, or give the gateway another port in the stack file, then run `make up` again"
    )
