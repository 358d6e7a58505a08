"""The ResourceProvider service of the recording stand-in."""

# ruff: noqa: N802, ARG002 - the protocol names the methods and their arguments

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from local.standin.backend import refusal
from local.standin.construct import construct
from local.standin.differences import diff_response, differences
from local.standin.protocol import plugin_pb2, sdk_version
from local.standin.recording import images
from local.standin.recording.components import build, known_components
from local.standin.recording.identity import Account, Inventor, autoname, tables, type_of
from local.standin.recording.invokes import ANSWERS, answer
from local.standin.server import EngineLog, empty
from local.standin.wire import Properties, decode, encode, merged

PREVIEW = "AGENTIC_STANDIN_PREVIEW"
"""`known`: invented outputs are shown in previews too, so that the Kubernetes objects of a cluster
to come can be checked. Otherwise they are unknown there, as with the real plugin."""


class RecordingProvider(provider_pb2_grpc.ResourceProviderServicer):
    """One instance of one package: it echoes inputs, and proves nothing about the cloud."""

    def __init__(self, log: EngineLog, package: str) -> None:
        self._log = log
        self._package = package
        self._account = Account()
        self._reveal = os.environ.get(PREVIEW) == "known"

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True, accept_resources=True)

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        return plugin_pb2.PluginInfo(version=sdk_version(f"pulumi-{self._package}"))

    def GetSchema(self, request: Any, context: grpc.ServicerContext) -> Any:
        schema = {"name": self._package, "version": sdk_version(f"pulumi-{self._package}")}
        return provider_pb2.GetSchemaResponse(schema=json.dumps(schema))

    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        if why := refusal(self._package):
            failure = provider_pb2.CheckFailure(property="", reason=why)
            return provider_pb2.CheckResponse(inputs=request.news, failures=[failure])
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        olds, news = decode(request.old_inputs), decode(request.news)
        # Another region or account holds none of the resources that this one made.
        return diff_response(differences(olds, news), [("region",), ("allowedAccountIds",)])

    def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:
        if why := refusal(self._package):
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, why)
        self._account = Account.of_provider(decode(request.args))
        more = "; previews know values that a real one can't" if self._reveal else ""
        self._log.info(
            f"{self._package}: stand-in, not the Pulumi plugin: resources are recorded, nothing is "
            f"made in any cloud{more} (docs/stand-ins.md)"
        )
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, acceptResources=True
        )

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:
        inputs = {key: value for key, value in decode(request.news).items() if value is not None}
        name = tables()["autonamed"].get(type_of(request.urn))
        if name and name not in inputs:
            prefix = inputs.get(f"{name}Prefix")
            made = decode(request.olds).get(name) or autoname(request.urn, request.randomSeed)
            inputs[name] = f"{prefix}{made}" if isinstance(prefix, str) else made
        return provider_pb2.CheckResponse(inputs=encode(inputs))

    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:
        kind = type_of(request.urn)
        paths = [(key,) for key in tables()["replacing"].get(kind, ())]
        if name := tables()["autonamed"].get(kind):
            paths.append((name,))
        olds, news = decode(request.old_inputs), decode(request.news)
        found = differences(olds, news)
        if kind == images.IMAGE:
            with _told(context):
                found = images.changes(found, decode(request.olds), news)
        return diff_response(found, paths)

    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:
        inputs = decode(request.properties)
        if request.preview and not self._reveal:
            # Outputs that are not in the answer are unknown to the program, as they would be.
            return provider_pb2.CreateResponse(properties=request.properties)
        inventor = Inventor(request.urn, inputs, self._account)
        with _told(context):
            state = merged(_outputs(inventor, inputs), inputs)
        return provider_pb2.CreateResponse(id=inventor.identity(), properties=encode(state))

    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:
        news, olds = decode(request.news), decode(request.olds)
        inventor = Inventor(request.urn, news, self._account)
        if inventor.type == images.IMAGE:
            if request.preview and not self._reveal:
                return provider_pb2.UpdateResponse(properties=request.news)
            with _told(context):
                built = images.outputs(news)
            return provider_pb2.UpdateResponse(properties=encode(merged(built, news)))
        kept = {key: olds.get(key, value) for key, value in inventor.outputs().items()}
        return provider_pb2.UpdateResponse(properties=encode(merged(kept, news)))

    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:
        if not request.properties.fields:
            context.abort(
                grpc.StatusCode.NOT_FOUND,
                f"{self._package}: a recording stand-in knows only what the program made in this "
                f"state, not {request.id}",
            )
        return provider_pb2.ReadResponse(
            id=request.id, properties=request.properties, inputs=request.inputs
        )

    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:
        return empty()

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> Any:
        if request.tok not in ANSWERS:
            context.abort(
                grpc.StatusCode.UNIMPLEMENTED,
                f"{request.tok}: the recording stand-in has no answer for it; "
                "add one to local/standin/recording/invokes.py",
            )
        made = answer(request.tok, decode(request.args), self._account)
        return provider_pb2.InvokeResponse(**{"return": encode(made)})

    def Construct(self, request: Any, context: grpc.ServicerContext) -> Any:
        if request.type not in known_components():
            context.abort(
                grpc.StatusCode.UNIMPLEMENTED,
                f"{request.type}: the recording stand-in can't construct it; "
                "add its outputs to local/standin/recording/invented.yaml",
            )
        return construct(request, lambda component: build(component, self._account))

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        return empty()


def _outputs(inventor: Inventor, inputs: Properties) -> Properties:
    """An image's follow from its files, everything else's from its URN."""
    return images.outputs(inputs) if inventor.type == images.IMAGE else inventor.outputs()


@contextmanager
def _told(context: grpc.ServicerContext) -> Iterator[None]:
    """A build context that can't be read is the user's to mend, in one line."""
    try:
        yield
    except (images.BuildContextError, OSError) as error:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"docker-build: {error}")


def register(server: Any, log: EngineLog, package: str) -> Callable[[], None]:
    """Add the service; returns what to call at the end."""
    provider = RecordingProvider(log, package)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server)
    return lambda: None
