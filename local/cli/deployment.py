"""`pulumi up` of a stack into this platform's API server, shown as it goes."""

from pathlib import Path

from local import secrets
from local.engine import Engine, EngineResult
from local.paths import CHECKOUT, Cache, State
from local.report import Progress, UserError
from local.toolchain import cached


def engine(state: State, cache: Cache) -> Engine:
    """The real Pulumi engine with this checkout's backend, plugins and kubeconfig."""
    tools = cached(("pulumi", "kubectl"), cache)
    return Engine(CHECKOUT, state, tools, kubeconfig=state.kubeconfig)


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


def deploy(state: State, cache: Cache, stack: str, file: Path, progress: Progress) -> EngineResult:
    """Bring the API server to what the program and the stack file say."""
    secrets.ensure(state.secrets)
    with progress.step(f"pulumi up ({stack})") as step:
        driver = engine(state, cache)
        driver.ensure_stack(stack, config_file=file)
        result = driver.run(
            "up",
            "--yes",
            "--skip-preview",
            stack=stack,
            on_event=lambda text: progress.detail(step, text),
        )
        if not result.ok:
            raise UserError(*(result.errors or [f"pulumi up ended with code {result.code}"]))
        step.outcome = result.summary
    return result
