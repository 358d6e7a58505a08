"""The `pulumi` that `make env` puts on PATH: the real one, given a stack file with its salt."""

import json
import os
import shlex
import sys
from hashlib import sha1
from pathlib import Path

from local.paths import CHECKOUT, State
from local.report import UserError

WITH_CONFIG_FILE = ("preview", "pre", "up", "update", "refresh", "destroy", "import", "watch")


def write_shim(state: State, checkout: Path, pulumi: Path, kubeconfig: Path | None) -> Path:
    """Write the wrapper; returns its path. A user's own `pulumi` elsewhere is left alone."""
    settings = {
        "state": str(state.root),
        "checkout": str(checkout),
        "pulumi": str(pulumi),
        "kubeconfig": str(kubeconfig) if kubeconfig else None,
    }
    code = (
        f"import sys; sys.path.insert(0, {str(CHECKOUT)!r}); "
        f"from local.engine.shim import main; main({settings!r}, sys.argv[1:])"
    )
    text = f'#!/bin/sh\nexec {shlex.join([sys.executable, "-P", "-c", code])} "$@"\n'
    path = state.root / "pulumi" / "bin" / "pulumi"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        draft = path.with_name(f".pulumi.{os.getpid()}")
        draft.write_text(text, encoding="utf-8")
        draft.chmod(0o700)
        draft.replace(path)
    return path


def main(settings: dict[str, str | None], arguments: list[str]) -> None:
    """Replace this process by the real CLI; a user's mistake is one line and exit code 2."""
    from local.engine.engine import Engine

    pulumi = Path(str(settings["pulumi"]))
    checkout = Path(str(settings["checkout"]))
    kubeconfig = settings["kubeconfig"]
    environment = dict(os.environ)
    stack = stack_of(arguments, checkout, environment)
    if stack and _command(arguments) in WITH_CONFIG_FILE and Path.cwd().is_relative_to(checkout):
        engine = Engine(
            checkout,
            State(Path(str(settings["state"]))),
            {"pulumi": pulumi},
            kubeconfig=Path(kubeconfig) if kubeconfig else None,
        )
        try:
            engine.ensure_stack(stack, engine.stack_files.original(stack))
            for line in engine.heal(stack, before_destroy=_command(arguments) == "destroy"):
                sys.stderr.write(f"! {line}\n")
            copy = engine.stack_files.copy(stack)
        except UserError as error:
            sys.stderr.write("\n".join(error.lines) + "\n")
            sys.exit(2)
        environment.setdefault("PULUMI_OPTION_CONFIG_FILE", str(copy))
    os.execve(pulumi, [str(pulumi), *arguments], environment)  # noqa: S606 - the CLI itself, no shell


def _command(arguments: list[str]) -> str:
    skip = False
    for word in arguments:
        if skip:
            skip = False
        elif word in ("-C", "--cwd", "-s", "--stack", "--color", "-v", "--verbose"):
            skip = True
        elif not word.startswith("-"):
            return word
    return ""


def stack_of(arguments: list[str], checkout: Path, environment: dict[str, str]) -> str | None:
    """The stack a command is about: its flag, else PULUMI_STACK, else the one selected."""
    for place, word in enumerate(arguments):
        if word in ("-s", "--stack") and place + 1 < len(arguments):
            return arguments[place + 1].rsplit("/", 1)[-1]
        if word.startswith("--stack="):
            return word.partition("=")[2].rsplit("/", 1)[-1]
    if stack := environment.get("PULUMI_STACK"):
        return stack.rsplit("/", 1)[-1]
    return _selected(checkout, environment)


def _selected(checkout: Path, environment: dict[str, str]) -> str | None:
    # sdk/go/common/workspace/workspace.go: <project>-<sha1 of Pulumi.yaml's path>-workspace.json
    digest = sha1(str(checkout / "Pulumi.yaml").encode(), usedforsecurity=False).hexdigest()
    folder = Path(environment.get("PULUMI_HOME", "")) / "workspaces"
    for file in folder.glob(f"*-{digest}-workspace.json"):
        stack = json.loads(file.read_text(encoding="utf-8")).get("stack")
        return str(stack).rsplit("/", 1)[-1] if stack else None
    return None
