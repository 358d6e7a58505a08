"""Runs a piece of a program against the SDK's mock monitor and keeps what it registered.

For names, types, inputs and wiring only: no provider checks anything here.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pulumi
from pulumi.runtime import mocks
from pulumi.runtime.rpc import _special_secret_sig, _special_sig_key
from pulumi.runtime.settings import SETTINGS
from pulumi.runtime.stack import run_pulumi_func

PROJECT = "agentic-platform"
STACK = "test"
ROOT = "pulumi:pulumi:Stack"

T = TypeVar("T")


@dataclass(frozen=True)
class Secret:
    """A value that the program marked secret."""

    value: Any


def _secrets_marked(value: Any) -> Any:
    if isinstance(value, list):
        return [_secrets_marked(each) for each in value]
    if not isinstance(value, dict):
        return value
    if value.get(_special_sig_key) == _special_secret_sig:
        return Secret(_secrets_marked(value["value"]))
    return {key: _secrets_marked(each) for key, each in value.items()}


@dataclass(frozen=True)
class Registered:
    """One registered resource; `inputs` are resolved, secrets wrapped in `Secret`."""

    type: str
    name: str
    inputs: dict[str, Any]


class OrderMonitor(mocks.MockMonitor):
    """The SDK's mock monitor, which also keeps what every resource waits for."""

    def __init__(self, recording: "Recording") -> None:
        super().__init__(recording)
        self._waits, self._urns = recording.waits, recording.urns
        self._protected = recording.protected
        self._guards, self._timeouts = recording.guards, recording.delete_timeouts

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """With the types of all parents, as the engine writes it; the mocks keep the last one."""
        above = parent.split("::")[2] if parent else ROOT
        kind = type_ if above == ROOT else f"{above}${type_}"
        return f"urn:pulumi:{STACK}::{PROJECT}::{kind}::{name}"

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the protocol names it
        response = super().RegisterResource(request)  # type: ignore[no-untyped-call] # the SDK's
        waits = {*request.dependencies, request.parent, request.provider.rpartition("::")[0]}
        self._waits[response.urn] = waits - {""}
        self._urns.append(response.urn)
        if request.protect:
            self._protected.add(response.urn)
        if request.hooks.before_delete:
            self._guards[response.urn] = list(request.hooks.before_delete)
        if request.customTimeouts.delete:
            self._timeouts[response.urn] = request.customTimeouts.delete
        return response


class Hooks:
    """Takes the program's resource hooks in place of the SDK's callback server: none ever runs."""

    def register_resource_hook(self, hook: pulumi.ResourceHook) -> None:
        """Nothing to do: a resource names its hooks."""


@dataclass
class Recording(mocks.Mocks):
    """Everything that was registered and invoked, in order."""

    resources: list[Registered] = field(default_factory=list)
    invoked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    urns: list[str] = field(default_factory=list)
    """Of every resource, in the order of registration."""
    waits: dict[str, set[str]] = field(default_factory=dict)
    """URN to the URNs that must be there before: dependencies, parent, provider."""
    protected: set[str] = field(default_factory=set)
    """URNs of what refuses to be deleted."""
    guards: dict[str, list[str]] = field(default_factory=dict)
    """URN to the names of the hooks that run before its deletion."""
    delete_timeouts: dict[str, str] = field(default_factory=dict)
    """URN to how long its deletion may take, where the program says it."""
    values: dict[str, Any] = field(default_factory=dict)
    """The Outputs that the program returned, resolved."""
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What an invoke answers, by its token."""
    outputs: Callable[[str, str], dict[str, Any]] = field(default=lambda _type, _name: {})
    """What a provider would add to the inputs of a resource, by its type token and name."""

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.resources.append(Registered(args.typ, args.name, _secrets_marked(args.inputs)))
        return f"{args.name}-id", self.outputs(args.typ, args.name) | dict(args.inputs)

    def call(
        self, args: pulumi.runtime.MockCallArgs
    ) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        self.invoked.append((args.token, args.args))
        return self.answers.get(args.token, {}), []

    def of_type(self, suffix: str) -> list[Registered]:
        """Resources whose type token ends so."""
        return [each for each in self.resources if each.type.endswith(suffix)]

    def before(self, urn: str) -> set[str]:
        """Every URN that must be there before, however indirectly."""
        found: set[str] = set()
        queue = [urn]
        while queue:
            new = self.waits.get(queue.pop(), set()) - found
            found |= new
            queue += new
        return found


def _failure(program: Callable[[], None]) -> Exception | None:
    """Run it; returns what it raised, so that what it registered before can come to its end."""
    try:
        program()
    except Exception as error:  # noqa: BLE001 - it is raised again
        return error
    return None


def record(
    build: Callable[[], dict[str, Any] | None],
    *,
    preview: bool = False,
    answers: dict[str, dict[str, Any]] | None = None,
    outputs: Callable[[str, str], dict[str, Any]] | None = None,
) -> Recording:
    """Run `build`; the Outputs in the dict that it returns are resolved into `values`.

    A value that the preview does not know resolves to None.
    """
    recording = Recording(answers=answers or {})
    if outputs is not None:
        recording.outputs = outputs
    # The SDK looks at the whole stack for every resource: pytest's alone is a fifth of the time.
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(_record, recording, build, preview=preview).result()
    return recording


def _record(
    recording: Recording, build: Callable[[], dict[str, Any] | None], *, preview: bool
) -> None:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    mocks.set_mocks(
        recording,
        project=PROJECT,
        stack=STACK,
        preview=preview,
        monitor=OrderMonitor(recording),
    )
    monitor = SETTINGS.monitor
    SETTINGS.callbacks = Hooks()
    # The SDK's mocks make an event loop in each worker thread and close none.
    worker_loops: list[asyncio.AbstractEventLoop] = []

    def worker_loop() -> None:
        worker_loops.append(asyncio.new_event_loop())
        asyncio.set_event_loop(worker_loops[-1])
        # Settings don't follow into threads: a resource that is an input would be looked for in
        # the monitor of the first recording.
        SETTINGS.monitor = monitor
        # It is read by a call from within the call that has it as input.
        worker_loops[-1].set_default_executor(workers)

    workers = ThreadPoolExecutor(max_workers=4, initializer=worker_loop)
    loop.set_default_executor(workers)
    SETTINGS.rpc_manager.clear()
    SETTINGS.outputs.clear()
    wanted: dict[str, Any] = {}

    def program() -> None:
        wanted.update(build() or {})

    async def run() -> None:
        failed = _failure(program)
        # Without this moment the SDK finds no registration under way, and waits for all outputs
        # anew whenever one is done: quadratic in the resources.
        await asyncio.sleep(0)

        def end() -> None:
            if failed is not None:
                raise failed

        await run_pulumi_func(end)
        for key, value in wanted.items():
            recording.values[key] = await pulumi.Output.from_input(value).future()

    try:
        loop.run_until_complete(run())
    finally:
        workers.shutdown()
        for each in (loop, *worker_loops):
            each.close()
        asyncio.set_event_loop(None)
