"""Building a recipe's programs from pinned Go modules."""

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from local.paths import Cache
from local.process import ProcessSpec, run_to_end, spawn, stop
from local.report import Progress, Step, UserError
from local.toolchain import disk, go
from local.toolchain.recipes import GoBuild
from local.toolchain.store import Store

REPORT_EVERY_SECONDS = 0.25
NO_TABLES = "-dwarf=false"
NETWORK = re.compile(
    r"dial tcp|i/o timeout|connection re(set|fused)|no such host|unexpected EOF|TLS handshake"
    r"|proxyconnect|Client\.Timeout|x509:|50\d |40[347] |410 Gone|zip: not a valid zip|lookup ",
    re.IGNORECASE,
)


def build(recipe: GoBuild, store: Store, cache: Cache, progress: Progress) -> dict[str, Path]:
    """Compile and publish `recipe`; call with its lock held. Raises UserError, one line."""
    toolchain = go.find(go.required(recipe.module), cache, progress)
    with progress.step(f"build {recipe.name} {recipe.version} from source") as step:
        _require_room(recipe, toolchain, store)
        with store.draft(recipe) as draft:
            result, work = draft / "result", draft / "work"
            result.mkdir()
            work.mkdir()
            watch = _Watch(progress, step)
            done = run_to_end(
                _command(recipe, toolchain, result),
                env=toolchain.environment(temporary=work),
                cwd=recipe.module,
                on_line=watch,
            )
            if done.code != 0:
                log = _keep_log(recipe, cache, done.output)
                raise UserError(explain(recipe, done.output, log))
            found = store.publish(recipe, result)
        step.outcome = f"{watch.packages} packages compiled"
    return found


@contextmanager
def downloading(recipes: Sequence[GoBuild], cache: Cache) -> Iterator[None]:
    """While the block runs, the modules of `recipes` are fetched beside it, as far as that gets.

    A failure says nothing: the build of that recipe meets it again, and explains it.
    """
    with ExitStack() as running:
        for recipe in recipes:
            toolchain = go.at_hand(go.required(recipe.module), cache)
            if toolchain is None:
                continue
            work = Path(running.enter_context(TemporaryDirectory(prefix="modules-")))
            fetch = ProcessSpec(
                name=f"modules of {recipe.name}",
                argv=[str(toolchain.program), "list", "-deps", *recipe.packages],
                env=toolchain.environment(temporary=work),
                log=work / "log",
                cwd=recipe.module,
            )
            running.callback(stop, spawn(fetch), seconds=3.0)
        yield


def explain(recipe: GoBuild, output: str, log: Path) -> str:
    """One line on why the build of `recipe` failed, with the way out."""
    name = f"{recipe.name} {recipe.version}"
    lines = [line for line in output.splitlines() if line.strip()]
    if "no space left on device" in output:
        return f"{name}: the disk is full: make room and run `make up` again"
    if bad := [line for line in lines if "checksum mismatch" in line or "SECURITY ERROR" in line]:
        return (
            f"{name}: a module differs from its checksum in go.sum ({_short(bad[0])}): refused; "
            "check GOPROXY, or run `go clean -modcache` when the module cache was altered"
        )
    if "signal: killed" in output:
        return f"{name}: the compiler was killed, most likely for want of memory (2 GiB free do)"
    if cut := [line for line in lines if NETWORK.search(line)]:
        return (
            f"{name}: a Go module could not be downloaded ({_short(cut[-1])}): check the network "
            f"or GOPROXY and run `make up` again, or put {', '.join(recipe.binaries)} on PATH"
        )
    return f"{name}: the build failed: {_short(lines[-1] if lines else 'no output')} (log: {log})"


@dataclass
class _Watch:
    """Turns the lines of `go build -v` into what the step is doing."""

    progress: Progress
    step: Step
    packages: int = 0
    modules: int = 0
    _reported: float = field(default=0.0)

    def __call__(self, line: str) -> None:
        if line.startswith("go: downloading "):
            self.modules += 1
            text = f"{self.modules} modules downloaded, {line.split()[2]}"
        elif line.startswith(("go: ", "#")) or " " in line:
            return
        else:
            self.packages += 1
            text = f"{self.packages} packages compiled, {line}"
        now = time.monotonic()
        if now - self._reported >= REPORT_EVERY_SECONDS:
            self._reported = now
            self.progress.detail(self.step, text)


def _command(recipe: GoBuild, toolchain: go.GoToolchain, result: Path) -> list[str]:
    values = " ".join(["-s -w", *(f"-X {value}" for value in recipe.link)])
    # A trailing slash makes `go build` write one file a package into the folder.
    target = f"{result}/" if len(recipe.packages) > 1 else str(result / recipe.binaries[0])
    command = [str(toolchain.program), "build", "-v", "-ldflags", values, "-o", target]
    # the linker drops the tables for debuggers, so the compiler need not write them; the last
    # pattern that fits a package counts
    command.append(f"-gcflags=all={NO_TABLES}")
    command += [f"-gcflags={pattern}={NO_TABLES} -l" for pattern in recipe.not_inlined]
    return [*command, *recipe.packages]


def _require_room(recipe: GoBuild, toolchain: go.GoToolchain, store: Store) -> None:
    third = recipe.disk_mib // 3
    places = {toolchain.module_cache: third, toolchain.build_cache: third, store.root: third}
    disk.require_free(places, f"building {recipe.name} {recipe.version}")


def _keep_log(recipe: GoBuild, cache: Cache, output: str) -> Path:
    log = cache.root / "log" / f"build-{recipe.name}.log"
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    log.write_text(output + "\n")
    return log


def _short(line: str) -> str:
    return line.strip()[:200]
