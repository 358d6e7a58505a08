"""The LanguageRuntime service: what the engine asks of a language, answered for Python."""

# ruff: noqa: N802, ARG002 - the protocol names the methods and their arguments

import os
import platform
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

from local.standin.backend import refusal
from local.standin.language.child import Program, run_program
from local.standin.ledger import Ledger
from local.standin.protocol import plugin_pb2, sdk_version
from local.standin.server import EngineLog, empty

BANNER = "python: stand-in, not the Pulumi language host (docs/stand-ins.md)"


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """One per engine process. Plugins are found by version, so it names none in advance."""

    def __init__(self, log: EngineLog) -> None:
        self._log = log
        self._running: list[Program] = []

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        return plugin_pb2.PluginInfo(version=sdk_version("pulumi"))

    def GetRequiredPackages(self, request: Any, context: grpc.ServicerContext) -> Any:
        return language_pb2.GetRequiredPackagesResponse()

    def GetRequiredPlugins(self, request: Any, context: grpc.ServicerContext) -> Any:
        return language_pb2.GetRequiredPluginsResponse()

    def RuntimeOptionsPrompts(self, request: Any, context: grpc.ServicerContext) -> Any:
        return language_pb2.RuntimeOptionsResponse()

    def About(self, request: Any, context: grpc.ServicerContext) -> Any:
        root = Path(request.info.root_directory or ".")
        return language_pb2.AboutResponse(
            executable=str(interpreter(root, _options(request.info))),
            version=platform.python_version(),
            metadata={"stand-in": "true"},
        )

    def GetProgramDependencies(self, request: Any, context: grpc.ServicerContext) -> Any:
        found = sorted((d.name, d.version) for d in distributions() if d.name)
        return language_pb2.GetProgramDependenciesResponse(
            dependencies=[language_pb2.DependencyInfo(name=n, version=v) for n, v in found]
        )

    def InstallDependencies(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        yield language_pb2.InstallDependenciesResponse(
            stdout=b"stand-in: dependencies are installed by `uv sync`\n"
        )

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        for program in list(self._running):
            program.stop()
        return empty()

    def Run(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Run the program to its end. `bail`: it failed and its error has been shown."""
        if why := refusal("pulumi-language-python"):
            return language_pb2.RunResponse(error=why)
        self._log.info(BANNER)
        root = Path(request.info.root_directory)
        program = Program(interpreter(root, _options(request.info)), request)
        self._running.append(program)
        ledger = Ledger(os.getppid())
        ledger.open()
        try:
            code = run_program(program, self._log)
        finally:
            self._running.remove(program)
            refused = ledger.close()
        if code == 0 and refused:
            return language_pb2.RunResponse(error=f"the API server refused {refused} object(s)")
        if code == 0:
            return language_pb2.RunResponse()
        if code == Program.ERROR_WAS_SHOWN:
            return language_pb2.RunResponse(bail=True)
        return language_pb2.RunResponse(error=f"the program ended with exit code {code}")

    def RunPlugin(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        """Run a policy pack to its end; other plugins are executables, which need no host."""
        # Most runs have no pack, and what one needs takes time to import.
        from local.standin.language.policy_pack import ANALYZER, run_pack

        if request.kind != ANALYZER:
            text = f"stand-in: runs policy packs only, not a plugin of kind {request.kind!r}"
            context.abort(grpc.StatusCode.UNIMPLEMENTED, text)
        self._log.info(f"{BANNER}: it runs the policy pack")
        yield from run_pack(request, context)

    def shutdown(self) -> None:
        """No program outlives its engine."""
        for program in list(self._running):
            program.stop()


def _options(info: Any) -> dict[str, Any]:
    options: dict[str, Any] = MessageToDict(info.options)
    return options


def interpreter(root: Path, options: dict[str, Any]) -> Path:
    """The project's environment: `runtime.options.virtualenv`, else `.venv` beside Pulumi.yaml."""
    folder = root / str(options.get("virtualenv") or ".venv")
    python = folder / "bin" / "python"
    return python if python.is_file() else Path(sys.executable)


def register(server: Any, log: EngineLog) -> Callable[[], None]:
    """Add the service; returns what to call at the end."""
    host = LanguageHost(log)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    return host.shutdown
