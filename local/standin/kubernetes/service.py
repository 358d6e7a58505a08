"""The ResourceProvider service of the Kubernetes stand-in."""

# ruff: noqa: N802, ARG002 - the protocol names the methods and their arguments

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from local.report import UserError
from local.standin.backend import refusal
from local.standin.differences import diff_response, differences
from local.standin.kubernetes import components
from local.standin.kubernetes.cluster import ClusterSettings, NoCluster, connect
from local.standin.kubernetes.inputs import Token, autonamed, checked
from local.standin.kubernetes.replacement import replacing_paths
from local.standin.kubernetes.resources import Refused, Resources
from local.standin.kubernetes.start import await_start
from local.standin.ledger import Ledger
from local.standin.protocol import plugin_pb2, sdk_version
from local.standin.server import EngineLog, empty
from local.standin.wire import Properties, decode, encode

BANNER = (
    "kubernetes: stand-in, not the Pulumi plugin: each object is a server-side apply "
    "(docs/stand-ins.md)"
)
# A provider is replaced, with all that it made, only when it means another cluster; without an
# identifier nothing but the address tells.
IDENTITY = [("clusterIdentifier",)]
ADDRESS = [("clusterIdentifier",), ("kubeconfig",), ("context",)]


class KubernetesProvider(provider_pb2_grpc.ResourceProviderServicer):
    """One provider instance, as the engine starts one process for each."""

    def __init__(self, log: EngineLog) -> None:
        self._log = log
        self._root = Path.cwd()
        self._settings = ClusterSettings(kubeconfig=None)
        self._lock = threading.Lock()
        self._resources: Resources | None = None
        # httpx takes a while to import; the engine is still starting the program meanwhile.
        threading.Thread(target=lambda: __import__("local.kube"), daemon=True).start()

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:
        if request.root_directory:
            self._root = Path(request.root_directory)
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True, accept_resources=True)

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        return plugin_pb2.PluginInfo(version=sdk_version("pulumi-kubernetes"))

    def GetSchema(self, request: Any, context: grpc.ServicerContext) -> Any:
        schema = {"name": "kubernetes", "version": sdk_version("pulumi-kubernetes")}
        return provider_pb2.GetSchemaResponse(schema=json.dumps(schema))

    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        if why := refusal("kubernetes"):
            failure = provider_pb2.CheckFailure(property="", reason=why)
            return provider_pb2.CheckResponse(inputs=request.news, failures=[failure])
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        olds, news = decode(request.old_inputs), decode(request.news)
        rules = IDENTITY if "clusterIdentifier" in news else ADDRESS
        return diff_response(differences(olds, news), rules)

    def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:
        if why := refusal("kubernetes"):
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, why)
        self._settings = ClusterSettings.from_arguments(decode(request.args))
        self._log.info(BANNER)
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, acceptResources=True
        )

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:
        news, olds = decode(request.news), decode(request.olds)
        if Token.of(request.urn).is_release:
            return provider_pb2.CheckResponse(inputs=encode(components.checked_release(news, olds)))
        with _errors(context):
            try:
                inputs = checked(
                    request.urn,
                    news,
                    olds,
                    seed=request.randomSeed,
                    default_namespace=self._settings.namespace,
                    namespaced=self._connected().namespaced,
                )
            except ValueError as error:
                name, _, reason = str(error).partition(": ")
                failure = provider_pb2.CheckFailure(property=name, reason=reason)
                return provider_pb2.CheckResponse(inputs=request.news, failures=[failure])
        return provider_pb2.CheckResponse(inputs=encode(inputs))

    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:
        olds, news = decode(request.old_inputs), decode(request.news)
        return diff_response(
            differences(olds, news),
            replacing_paths(news.get("kind"), self._settings.mutable),
            delete_first=not autonamed(news),
        )

    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:
        inputs = decode(request.properties)
        with _errors(context):
            if Token.of(request.urn).is_release:
                identity, state = components.recorded_release(inputs)
                self._log.info(components.RELEASE_NOTICE, request.urn)
            elif request.preview:
                identity, state = "", self._preview(request.urn, inputs, {})
            else:
                identity, state = self._connected().create(request.urn, inputs)
        return provider_pb2.CreateResponse(id=identity, properties=encode(state))

    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:
        news, olds = decode(request.news), decode(request.olds)
        with _errors(context):
            if Token.of(request.urn).is_release:
                state = components.recorded_release(news)[1]
            elif request.preview:
                state = self._preview(request.urn, news, olds)
            else:
                state = self._connected().update(request.urn, news, olds)
        return provider_pb2.UpdateResponse(properties=encode(state))

    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:
        state, inputs = decode(request.properties), decode(request.inputs)
        if Token.of(request.urn).is_release:
            return provider_pb2.ReadResponse(
                id=request.id, properties=request.properties, inputs=request.inputs
            )
        with _errors(context):
            found = self._connected().read(request.urn, request.id, inputs, state)
        if found is None:
            return provider_pb2.ReadResponse()
        inputs, state = found
        return provider_pb2.ReadResponse(
            id=request.id, properties=encode(state), inputs=encode(inputs)
        )

    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:
        if not Token.of(request.urn).is_release:
            state = decode(request.properties)
            inputs: Properties = decode(request.old_inputs) or state
            with _errors(context):
                self._connected().delete(request.urn, inputs, state, request.timeout)
        return empty()

    def Construct(self, request: Any, context: grpc.ServicerContext) -> Any:
        return components.construct(request, self._log, context)

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> Any:
        context.abort(
            grpc.StatusCode.UNIMPLEMENTED,
            f"kubernetes: the stand-in has no function {request.tok}: use a resource instead",
        )

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        return empty()

    def _preview(self, urn: str, inputs: Properties, state: Properties) -> Properties:
        """A refusal is logged, not raised: one preview shows what is wrong with all objects."""
        try:
            return self._connected().preview(urn, inputs, state)
        except Refused as error:
            if not Ledger(os.getppid()).add(str(error)):
                raise
            self._log.error(str(error), urn)
            return inputs

    def _connected(self) -> Resources:
        with self._lock:
            if self._resources is None:
                warn = Resources.warning_printer(self._log)
                try:
                    client = connect(self._settings, self._root, warn)
                except NoCluster as error:
                    self._resources = Resources(None, self._log, str(error))
                else:
                    await_start(client)
                    self._resources = Resources(client, self._log)
            return self._resources


@contextmanager
def _errors(context: grpc.ServicerContext) -> Iterator[None]:
    """Every refusal reaches the engine as one message in the API server's own words."""
    from local.kube import ApiError

    try:
        yield
    except UserError as error:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "; ".join(error.lines))
    except Refused as error:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
    except ApiError as error:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.message)
    except TimeoutError as error:
        context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, str(error))


def register(server: Any, log: EngineLog) -> Callable[[], None]:
    """Add the service; returns what to call at the end."""
    provider = KubernetesProvider(log)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server)
    return lambda: None
