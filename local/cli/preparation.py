"""What the stack file asks of the machine: fetched, and known, before anything is deployed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from local.engine.stack_files import KEY
from local.paths import Cache, State
from local.report import Progress, UserError
from local.toolchain import LIMIT_TOOLS, ensure
from local.workloads import gguf_model, prometheus_package

DEFAULT_PORT = 80
"""The gateway's where the stack file names none (components/gateway_config.py)."""


@dataclass(frozen=True)
class Prepared:
    """A stack file that this machine can deploy."""

    file: Path
    """The one that was given, or a copy without what is not to be had."""
    definitions: tuple[str, ...] = ()
    """CRDs, by project, that its objects need beside Kubernetes' own kinds."""
    gateway_port: int | None = None
    """Where Envoy is to listen; None where the stack has none."""


def prepare(file: Path, state: State, cache: Cache, progress: Progress) -> Prepared:
    """Fetch what `file` asks for; UserError where it can't be had and is not left out."""
    document: dict[str, Any] = yaml.safe_load(file.read_text()) or {}
    platform = (document.get("config") or {}).get(KEY)
    if not isinstance(platform, dict):
        return Prepared(file)
    if _uses_llama_cpp(platform):
        with progress.step("model weights") as step:
            step.outcome = gguf_model.fetch(cache).name
    if _section(platform, "gateway").get("limits"):
        ensure(LIMIT_TOOLS, cache, progress)
    if not _has_prometheus(platform, cache, progress):
        platform["metrics"] = {"variant": "none"}
        file = state.root / "pulumi" / f"adapted.{file.name}"
        file.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
    return Prepared(file, _definitions(platform), _gateway_port(platform))


def _section(platform: dict[str, Any], name: str) -> dict[str, Any]:
    """One section; whatever is wrong with it, the deployment says."""
    found = platform.get(name)
    return found if isinstance(found, dict) else {}


def _definitions(platform: dict[str, Any]) -> tuple[str, ...]:
    """Loading them costs the API server seconds and memory, so only those that are used."""
    needed = []
    if _section(platform, "gateway").get("variant") != "envoy":
        needed.append("gateway-api")
    if _section(platform, "metrics").get("variant") == "chart":
        needed.append("prometheus-operator")
    return tuple(needed)


def _gateway_port(platform: dict[str, Any]) -> int | None:
    gateway = _section(platform, "gateway")
    port = gateway.get("port", DEFAULT_PORT)
    return port if gateway.get("variant") == "envoy" and isinstance(port, int) else None


def _uses_llama_cpp(platform: dict[str, Any]) -> bool:
    servers = platform.get("modelServers")
    return isinstance(servers, dict) and any(
        isinstance(server, dict) and server.get("engine") == "llama-cpp"
        for server in servers.values()
    )


def _has_prometheus(platform: dict[str, Any], cache: Cache, progress: Progress) -> bool:
    metrics = platform.get("metrics")
    if not isinstance(metrics, dict) or metrics.get("variant") != "embedded":
        return True
    with progress.step("prometheus") as step:
        try:
            step.outcome = str(prometheus_package.fetch(cache))
        except UserError as reason:
            step.outcome = "not to be had"
            progress.notice(f"no metrics: {reason}; deploying with `metrics: {{variant: none}}`")
            return False
    return True
