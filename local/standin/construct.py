"""Remote components: the plugin registers them and their children with the monitor."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
from pulumi.runtime.proto import provider_pb2, resource_pb2, resource_pb2_grpc

from local.standin.server import OPTIONS
from local.standin.wire import RESOURCE, SIGNATURE, UNKNOWN, Properties, decode, encode


@dataclass(frozen=True)
class Child:
    """A resource that a component made; `outputs` has what is known by now."""

    urn: str
    id: str
    outputs: Properties

    @property
    def reference(self) -> Properties:
        """How an output of the component says: this resource."""
        return {SIGNATURE: RESOURCE, "urn": self.urn, "id": self.id, "packageVersion": ""}


class Component:
    """A component under construction; `child` registers what belongs to it."""

    def __init__(self, request: Any, monitor: Any) -> None:
        self.request = request
        self._monitor = monitor
        answer = monitor.RegisterResource(
            resource_pb2.RegisterResourceRequest(
                type=request.type,
                name=request.name,
                parent=request.parent,
                custom=False,
                object=request.inputs,
                protect=request.protect,
                dependencies=list(request.dependencies),
                providers=dict(request.providers),
                aliases=list(request.aliases),
                aliasSpecs=True,
                acceptSecrets=True,
                acceptResources=True,
                supportsResultReporting=True,
            )
        )
        self.urn: str = answer.urn

    def child(self, kind: str, name: str, inputs: Properties) -> Child:
        """Register a resource below it."""
        package = kind.split(":", maxsplit=1)[0]
        answer = self._monitor.RegisterResource(
            resource_pb2.RegisterResourceRequest(
                type=kind,
                name=name,
                parent=self.urn,
                custom=True,
                object=encode(inputs),
                # children inherit it from their component in the SDK that the plugin is made with
                protect=self.request.protect,
                provider=self.request.providers.get(package, ""),
                dependencies=list(self.request.dependencies),
                acceptSecrets=True,
                acceptResources=True,
                supportsPartialValues=True,
                aliasSpecs=True,
                supportsResultReporting=True,
            )
        )
        return Child(answer.urn, answer.id or UNKNOWN, decode(answer.object))

    def finish(self, outputs: Properties) -> Any:
        """Record the outputs; returns the ConstructResponse."""
        state = encode(outputs)
        self._monitor.RegisterResourceOutputs(
            resource_pb2.RegisterResourceOutputsRequest(urn=self.urn, outputs=state)
        )
        return provider_pb2.ConstructResponse(urn=self.urn, state=state)


def construct(request: Any, build: Callable[[Component], Properties]) -> Any:
    """Answer a ConstructRequest: `build` makes the children and returns the outputs."""
    with grpc.insecure_channel(request.monitorEndpoint, options=OPTIONS) as channel:
        monitor = resource_pb2_grpc.ResourceMonitorStub(channel)
        component = Component(request, monitor)
        return component.finish(build(component))
