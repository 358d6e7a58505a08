"""Running a preview in a state of its own, against an API server of its own."""

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from local import secrets
from local.control_plane import ControlPlane, lease
from local.crds import load, locked
from local.engine import Engine, EngineResult
from local.kubeconfig import Kubeconfig
from local.paths import CHECKOUT, Cache, State
from local.preview.budget import budget_of
from local.preview.outcome import Outcome, Verdict
from local.preview.policies import Policies
from local.preview.references import bases, make_up, of_this_state
from local.report import Progress

COMPONENTS = ("etcd", "kube-apiserver")
STATE_FOLDER = ".local/"
NOBODY = Kubeconfig(server="https://preview.recorded.invalid", token="none")  # noqa: S106 - no credential: nobody answers there


def preview(
    stack: str,
    file: Path,
    tools: Mapping[str, Path],
    cache: Cache,
    progress: Progress,
    *,
    checkout: Path = CHECKOUT,
    policies: Policies | None = None,
) -> Outcome:
    """What `stack` would make from nothing, each Kubernetes object judged by a real API server.

    With `policies` every resource is judged by that pack too.
    `tools` must have `pulumi`; without etcd and kube-apiserver the objects stay unchecked, and the
    outcome says so. Raises UserError for what keeps it from starting.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="preview-") as folder:
        state = State(Path(folder))
        state.make()
        secrets.ensure(state.secrets)
        with _api_server(state, tools, cache, progress) as serving:
            runner = Runner(checkout, state, tools, cache, progress, serving)
            placeholders = [
                make_up(runner.engine, below, base, runner.outputs_of)
                for below, base in bases(file)
            ]
            outcome = _preview(stack, file, runner, policies)
    outcome.notices += placeholders
    outcome.budget = budget_of(file.read_text(encoding="utf-8"))
    outcome.seconds = time.monotonic() - began
    return outcome


class Runner:
    """One engine with its report file."""

    def __init__(
        self,
        checkout: Path,
        state: State,
        tools: Mapping[str, Path],
        cache: Cache,
        progress: Progress,
        serving: bool,  # noqa: FBT001 - a plain fact about the state
    ) -> None:
        self.state = state
        self.cache = cache
        self.progress = progress
        self.serving = serving
        kubeconfig = state.kubeconfig if serving else None
        self.engine = Engine(checkout, state, tools, kubeconfig=kubeconfig)
        self.report = state.root / "report.jsonl"

    def add(self, stack: str, file: Path) -> None:
        """Make the stack in this preview's state."""
        copy = self.state.root / "pulumi" / f"Pulumi.{stack}.yaml"
        # The stack file's paths below .local/ mean this preview's state, not the checkout's.
        text = of_this_state(file.read_text(encoding="utf-8"))
        copy.write_text(text.replace(STATE_FOLDER, f"{self.state.root}/"), encoding="utf-8")
        self.engine.ensure_stack(stack, config_file=copy)

    def outputs_of(self, stack: str, file: Path) -> EngineResult:
        """A preview of a stack that the previewed one reads."""
        self.add(stack, file)
        return self.run(stack, f"pulumi preview ({stack}), for its outputs").result

    def run(self, stack: str, title: str, policies: Policies | None = None) -> Outcome:
        self.report.unlink(missing_ok=True)
        with self.progress.step(title) as step:
            result = self.engine.run(
                "preview",
                *(policies.arguments() if policies else ()),
                stack=stack,
                on_event=lambda text: self.progress.detail(step, text),
                environment={
                    "AGENTIC_STANDIN_REPORT": str(self.report),
                    "AGENTIC_STANDIN_PREVIEW": "known",
                },
            )
            step.outcome = result.summary
        lines = self.report.read_text(encoding="utf-8") if self.report.is_file() else ""
        return Outcome(stack, result, [Verdict.parse(line) for line in lines.splitlines()])


def _preview(stack: str, file: Path, runner: Runner, policies: Policies | None) -> Outcome:
    runner.add(stack, file)
    outcome = runner.run(stack, f"pulumi preview ({stack})", policies)
    needed = missing_crds(outcome.verdicts)
    if not runner.serving or not needed:
        return outcome
    with runner.progress.step("custom resource definitions") as step:
        loaded = load(runner.state.kubeconfig, needed, cache=runner.cache, progress=runner.progress)
        step.outcome = f"{len(loaded)} kinds"
    placeholders = sorted(crd.kind for crd in loaded if crd.origin == "placeholder")
    # The pack has seen every resource: their kinds being known changes nothing for it.
    violations = outcome.result.violations
    outcome = runner.run(stack, f"pulumi preview ({stack}), with those kinds")
    outcome.result.violations = violations
    if placeholders:
        outcome.notices.append(
            f"accepted by PLACEHOLDER schemas that accept any body: {', '.join(placeholders)}"
        )
    return outcome


def missing_crds(verdicts: Sequence[Verdict]) -> list[str]:
    """Names of the locked CRDs whose kinds a preview met and the API server did not know."""
    unknown = {
        (verdict.api_version.partition("/")[0], verdict.kind)
        for verdict in verdicts
        if verdict.verdict == "unknown-kind"
    }
    return sorted(
        {
            crd.name
            for project in locked()
            if project.default
            for file in project.files
            for crd in file.crds
            if (crd.group, crd.kind) in unknown
        }
    )


@contextmanager
def _api_server(
    state: State, tools: Mapping[str, Path], cache: Cache, progress: Progress
) -> Iterator[bool]:
    """Whether one serves at the state's kubeconfig; without its programs there is none."""
    if not all(name in tools for name in COMPONENTS):
        NOBODY.write(state.kubeconfig, context="local", user="nobody")
        yield False
        return
    slot = lease(cache, owner=state.root)
    try:
        plane = ControlPlane(
            state.root, tools, slot=slot, unsafe_no_fsync=True, components=COMPONENTS
        )
        with progress.step("API server") as step:
            running = plane.running()
            running.__enter__()
            step.outcome = slot.node_ip
        try:
            yield True
        finally:
            running.__exit__(None, None, None)
    finally:
        slot.release()
