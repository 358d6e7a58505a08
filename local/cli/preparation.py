"""What the stack's embedded variants need from the machine: fetched before they are deployed."""

from pathlib import Path
from typing import Any

import yaml

from local.paths import Cache, State
from local.report import Progress, UserError
from local.toolchain import LIMIT_TOOLS, ensure
from local.workloads import gguf_model, prometheus_package

KEY = "agentic-platform:platform"


def prepare(file: Path, state: State, cache: Cache, progress: Progress) -> Path:
    """Fetch what `file` asks for; the file to deploy, adapted where something is not to be had."""
    document: dict[str, Any] = yaml.safe_load(file.read_text()) or {}
    platform = (document.get("config") or {}).get(KEY)
    if not isinstance(platform, dict):
        return file
    if _uses_llama_cpp(platform):
        with progress.step("model weights") as step:
            step.outcome = gguf_model.fetch(cache).name
    gateway = platform.get("gateway")
    if isinstance(gateway, dict) and gateway.get("limits"):
        ensure(LIMIT_TOOLS, cache, progress)
    if _has_prometheus(platform, cache, progress):
        return file
    platform["metrics"] = {"variant": "none"}
    adapted = state.root / "pulumi" / f"adapted.{file.name}"
    adapted.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
    return adapted


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
