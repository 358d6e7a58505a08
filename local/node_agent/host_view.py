"""What a Pod may see of this machine: programs and libraries, read-only; nobody's home."""

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from local.paths import CHECKOUT, State

SYSTEM_FOLDERS = ("/usr", "/opt", "/nix/store", "/sys/devices/system")
MERGED_FOLDERS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
ETC = (
    *("alternatives", "ca-certificates", "ca-certificates.conf", "crypto-policies", "fonts"),
    *("gai.conf", "group", "host.conf", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime"),
    *("mime.types", "openssl", "os-release", "passwd", "pki", "protocols", "services", "ssl"),
    "timezone",
)
PRIVATE = ("/etc/ssl/private", "/etc/pki/tls/private", "/etc/pki/ca-trust/source")
HOME_PRIVATE = (".aws", ".azure", ".config", ".docker", ".gnupg", ".kube", ".netrc", ".pulumi")
CA_VARIABLES = (
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
)


@dataclass(frozen=True)
class HostView:
    """Paths bound read-only at their own place, symlinks made anew, and what is hidden below."""

    binds: tuple[str, ...]
    links: tuple[tuple[str, str], ...] = ()
    """(path, target)"""
    hidden: tuple[str, ...] = ()


def host_view(*, state: Path, cache: Path) -> HostView:
    """This machine's view: the interpreter, the checkout and the tool cache, but not `state`."""
    links: list[tuple[str, str]] = []
    wanted = [*SYSTEM_FOLDERS, *(f"/etc/{name}" for name in ETC)]
    for folder in map(Path, MERGED_FOLDERS):
        if folder.is_symlink():
            links.append((str(folder), str(folder.readlink())))
        else:
            wanted.append(str(folder))
    wanted += [str(path) for path in _python_folders()] + [str(CHECKOUT), str(cache)]
    wanted += [os.environ[name] for name in CA_VARIABLES if os.environ.get(name)]
    binds = _topmost(path for path in wanted if Path(path).exists() and path != "/")
    home = Path.home()
    private = [*PRIVATE, *{str(state), str(State.default().root)}, str(CHECKOUT / ".git")]
    private += [str(home / name) for name in (*HOME_PRIVATE, ".ssh")]
    hidden = [path for path in private if _below(path, binds) and Path(path).is_dir()]
    return HostView(tuple(binds), tuple(links), tuple(hidden))


def _python_folders() -> Iterable[Path]:
    """The environment and the interpreter it was made from, by their names and in reality."""
    for name in (sys.prefix, sys.base_prefix):
        yield Path(name)
        yield Path(name).resolve()
    yield Path(sys.executable).resolve().parent


def _topmost(paths: Iterable[str]) -> list[str]:
    """`paths` without those that lie below another one, sorted."""
    kept: list[str] = []
    for path in sorted(set(paths)):
        if not _below(path, kept):
            kept.append(path)
    return kept


def _below(path: str, folders: Iterable[str]) -> bool:
    return any(path == folder or path.startswith(folder + "/") for folder in folders)
