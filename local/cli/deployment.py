"""`pulumi up` of a stack into this platform's API server, shown as it goes."""

from collections.abc import Mapping
from pathlib import Path

from local import secrets
from local.engine import Engine, EngineResult
from local.paths import CHECKOUT, State
from local.report import Progress, UserError
from local.standin.kubernetes.start import STARTER

TOOLS = ("pulumi", "kubectl")


def engine(state: State, tools: Mapping[str, Path]) -> Engine:
    """The real Pulumi engine with this checkout's backend, plugins and kubeconfig."""
    ours = {name: tools[name] for name in TOOLS}
    return Engine(CHECKOUT, state, ours, kubeconfig=state.kubeconfig)


def stack_file(stack: str, given: str | None) -> Path:
    """The stack's file; raises UserError that lists the stacks there are."""
    path = Path(given) if given else CHECKOUT / f"Pulumi.{stack}.yaml"
    if path.is_file():
        return path
    known = sorted(file.name.split(".")[1] for file in CHECKOUT.glob("Pulumi.*.yaml"))
    raise UserError(
        f"stack {stack!r}: no file {path.name}; known stacks: {', '.join(known)}; "
        "copy one of their files to begin a new stack"
    )


def ready_engine(state: State, tools: Mapping[str, Path], stack: str, file: Path) -> Engine:
    """What a deployment needs before there is an API server: secrets, plugins, the stack."""
    secrets.ensure(state.secrets)
    driver = engine(state, tools)
    driver.ensure_stack(stack, config_file=file)
    return driver


def can_begin_early(driver: Engine) -> bool:
    """Whether the engine may run while the API server starts: the real plugin doesn't wait."""
    return driver.kinds.get("kubernetes") == "stand-in"


def deploy(
    driver: Engine, stack: str, progress: Progress, *, starter: int | None = None
) -> EngineResult:
    """Bring the API server to what the program and the stack file say.

    `starter`: id of the process that is still starting the API server.
    """
    with progress.step(f"pulumi up ({stack})") as step:
        result = driver.run(
            "up",
            "--yes",
            "--skip-preview",
            stack=stack,
            on_event=lambda text: progress.detail(step, text),
            environment={} if starter is None else {STARTER: str(starter)},
        )
        if not result.ok:
            raise UserError(*(result.errors or [f"pulumi up ended with code {result.code}"]))
        step.outcome = result.summary
    return result
