"""Driving the Pulumi CLI: environment, stacks, runs."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from local.engine import heal
from local.engine.call import call, let_end
from local.engine.events import EngineResult, EventReader
from local.engine.plugins import PLUGINS, Plugin, check_kinds, install
from local.engine.shim import write_shim
from local.engine.stack_files import StackFiles
from local.paths import State
from local.report import UserError

ORGANIZATION = "organization"
"""What the file backend calls the owner of every stack."""
STREAMING = ("up", "update", "preview", "refresh", "destroy")


class Engine:
    """One checkout's program, one state folder. Several may work at once in different processes."""

    def __init__(
        self,
        checkout: Path,
        state: State,
        tools: Mapping[str, Path],
        *,
        kubeconfig: Path | None = None,
        plugins: Iterable[Plugin] = PLUGINS,
    ) -> None:
        """`kubeconfig`: where the Kubernetes stand-in sends objects of recorded clusters."""
        self.checkout = checkout
        self.state = state
        self.tools = dict(tools)
        self.kubeconfig = kubeconfig
        self.stack_files = StackFiles(checkout, state.root / "pulumi")
        self._plugins = tuple(plugins)
        self._prepared = False
        self.kinds: dict[str, str] = {}

    def environment(self) -> dict[str, str]:
        """Variables for people and processes; `PATH` begins with a `pulumi` wrapper."""
        self._prepare()
        shim = write_shim(self.state, self.checkout, self.tools["pulumi"], self.kubeconfig)
        folders = [str(shim.parent), str(Path(sys.executable).parent)]
        folders += [str(path.parent) for name, path in self.tools.items() if name != "pulumi"]
        path = os.environ.get("PATH", os.defpath).split(os.pathsep)
        unique = list(dict.fromkeys([*folders, *path]))
        return self._variables() | {"PATH": os.pathsep.join(unique)}

    def ensure_stack(self, name: str, config_file: Path | None = None) -> None:
        """Make the stack in this state if it is not there; its file stays as it is."""
        self._prepare()
        self.stack_files.use(name, config_file)
        self.stack_files.copy(name)
        if self._checkpoint(name).is_file():
            return
        folder = self.stack_files.scratch_project()
        (folder / f"Pulumi.{name}.yaml").write_text(
            f"encryptionsalt: {self.stack_files.salt_text()}\n", encoding="utf-8"
        )
        made = self._call("stack", "init", name, "--no-select", "--non-interactive", cwd=folder)
        if made.returncode != 0 and not self._checkpoint(name).is_file():
            raise UserError(f"stack {name!r}: {made.stderr.strip().splitlines()[-1]}")
        if not any((self.state.pulumi_home / "workspaces").glob(f"{self._project}-*")):
            self._call("stack", "select", name)

    def run(
        self,
        *args: str,
        stack: str | None = None,
        on_event: Callable[[str], None] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> EngineResult:
        """One CLI command to its end; runs of a stack are healed first and streamed as JSON.

        `on_event` gets a short text for each change of progress. A failed run raises nothing: read
        `ok` and `errors`. UserError for a stack without a file.
        """
        self._prepare()
        command = [str(self.tools["pulumi"]), *args, "--non-interactive", "--color", "never"]
        streaming = bool(args) and args[0] in STREAMING
        if stack is not None:
            command += ["--stack", f"{ORGANIZATION}/{self._project}/{stack}"]
            self.heal(stack, before_destroy=args[:1] == ("destroy",))
        if streaming:
            command.append("--json")
            if stack is not None:
                command += ["--config-file", str(self.stack_files.copy(stack))]
        reader = EventReader(on_event)
        # A pipe for errors could fill up while the other one is read, so they go to a file.
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
            with subprocess.Popen(
                command,
                cwd=self.checkout,
                env=self._process_environment(environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                errors="replace",
            ) as process:
                code = _follow(process, reader)
            errors.seek(0)
            return _finish(reader.result, code, errors.read(), planned=args[:1] == ("preview",))

    def heal(self, stack: str, *, before_destroy: bool = False) -> list[str]:
        """Undo what a killed run left: stale locks, unfinished operations; says what was done."""
        return heal.heal(
            self.state.pulumi_state,
            self._project,
            stack,
            stand_ins=self._all_stand_ins,
            before_destroy=before_destroy,
        )

    @property
    def _project(self) -> str:
        return self.stack_files.project()

    @property
    def _all_stand_ins(self) -> bool:
        resources = [plugin.name for plugin in self._plugins if plugin.kind == "resource"]
        return all(self.kinds.get(name, "stand-in") == "stand-in" for name in resources)

    def _checkpoint(self, stack: str) -> Path:
        return heal.checkpoint(self.state.pulumi_state, self._project, stack)

    def _prepare(self) -> None:
        if self._prepared:
            return
        self.state.make()
        kinds = install(self.state.pulumi_home, self._plugins, beside=self.tools["pulumi"])
        record = self.state.root / "pulumi" / "plugins.json"
        stacks = self.state.pulumi_state / ".pulumi" / "stacks"
        check_kinds(record, kinds, has_state=any(stacks.rglob("*.json")))
        self.kinds = {**kinds}
        self.stack_files.ensure_passphrase()
        self.stack_files.ensure_salt(self.tools["pulumi"], self._variables())
        self._prepared = True

    def _variables(self) -> dict[str, str]:
        variables = {
            "PULUMI_HOME": str(self.state.pulumi_home),
            "PULUMI_BACKEND_URL": f"file://{self.state.pulumi_state}",
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(self.stack_files.passphrase),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
            "PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "true",
            "PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS": "true",
            "AGENTIC_STATE_DIR": str(self.state.root),
        }
        if self.kubeconfig is not None:
            variables["AGENTIC_STANDIN_KUBECONFIG"] = str(self.kubeconfig)
            variables["AGENTIC_STANDIN_PREVIEW"] = "known"
        return variables

    def _process_environment(self, more: Mapping[str, str]) -> dict[str, str]:
        # Programs and plugins start often, so they must be able to keep compiled modules.
        inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        return inherited | self._variables() | dict(more)

    def _call(self, *args: str, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
        command = [str(self.tools["pulumi"]), *args]
        return call(command, cwd=cwd or self.checkout, env=self._process_environment({}))


def _follow(process: "subprocess.Popen[str]", reader: EventReader) -> int:
    """Read events to the end; an interrupt is passed on and the engine may finish its steps."""
    assert process.stdout is not None  # noqa: S101 - it was asked for
    while True:
        try:
            reader.read(process.stdout)
            return process.wait()
        except KeyboardInterrupt:
            let_end(process)
            raise


def _finish(result: EngineResult, code: int, stderr: str, *, planned: bool) -> EngineResult:
    result.code, result.ok, result.planned = code, code == 0, planned
    if code < 0:
        result.errors.append(
            f"pulumi was killed (signal {-code}): run it again, that heals the state"
        )
    elif code != 0 and not result.errors and not any(it.mandatory for it in result.violations):
        lines = [line.removeprefix("error: ") for line in stderr.splitlines() if line.strip()]
        result.errors = lines or [f"pulumi ended with code {code} and said nothing"]
    return result
