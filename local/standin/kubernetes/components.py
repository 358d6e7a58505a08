"""Charts and remote files: nothing can be rendered offline, so they are recorded, and say so."""

from typing import Any

import grpc

from local.standin.construct import Component
from local.standin.construct import construct as construct_component
from local.standin.server import EngineLog
from local.standin.wire import Properties, plain

RELEASE_NOTICE = (
    "recorded, not installed: a stand-in has no Helm; name, chart, version and values are in state"
)
FILE_NOTICE = "recorded, not rendered: a stand-in fetches and renders no manifests"
COMPONENTS = {
    "kubernetes:helm.sh/v4:Chart": "resources",
    "kubernetes:yaml/v2:ConfigFile": "resources",
    "kubernetes:yaml/v2:ConfigGroup": "resources",
}


def checked_release(news: Properties, olds: Properties) -> Properties:
    """Inputs of a Release with the name that Helm would use."""
    inputs = {key: value for key, value in news.items() if value is not None}
    inputs.setdefault("name", olds.get("name") or inputs.get("chart"))
    return inputs


def recorded_release(inputs: Properties) -> tuple[str, Properties]:
    """(id, outputs) of a Release: its inputs, and the status that Helm would report."""
    name, namespace = plain(inputs.get("name")), plain(inputs.get("namespace") or "default")
    status = {
        "name": name,
        "namespace": namespace,
        "chart": inputs.get("chart"),
        "version": inputs.get("version"),
        "status": "recorded",
    }
    return f"{namespace}/{name}", inputs | {"resourceNames": {}, "status": status}


def construct(request: Any, log: EngineLog, context: grpc.ServicerContext) -> Any:
    """Register the component without children, and say so."""
    output = COMPONENTS.get(request.type)
    if output is None:
        context.abort(
            grpc.StatusCode.UNIMPLEMENTED,
            f"{request.type}: the Kubernetes stand-in can't construct it; "
            f"it records {', '.join(sorted(COMPONENTS))}",
        )
        return None

    def build(component: Component) -> Properties:
        log.info(FILE_NOTICE, component.urn)
        return {output: []}

    return construct_component(request, build)
