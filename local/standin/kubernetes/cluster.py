"""Which API server a provider means: its kubeconfig's, or the one for recorded clusters."""

import base64
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.report import UserError
from local.standin.wire import UNKNOWN

if TYPE_CHECKING:
    from local.kube import KubeClient

OVERRIDE = "AGENTIC_STANDIN_KUBECONFIG"
RECORDED = ".recorded.invalid"
"""End of the host names that the recording provider gives to clusters that don't exist."""


@dataclass(frozen=True)
class ClusterSettings:
    """What of a provider's configuration decides where objects go."""

    kubeconfig: str | None
    context: str | None = None
    namespace: str = "default"
    mutable: frozenset[str] = frozenset()
    """Kinds whose data may change in place although the plugin replaces them by default."""

    @classmethod
    def from_arguments(cls, arguments: Mapping[str, Any]) -> "ClusterSettings":
        """Read the arguments of Configure; every value of a provider arrives as text."""
        options = {"ConfigMap": "enableConfigMapMutable", "Secret": "enableSecretMutable"}
        mutable = {kind for kind, name in options.items() if _true(arguments.get(name))}
        return cls(
            kubeconfig=arguments.get("kubeconfig") or None,
            context=arguments.get("context") or None,
            namespace=str(arguments.get("namespace") or "default"),
            mutable=frozenset(mutable),
        )


class NoCluster(Exception):  # noqa: N818 - a state of affairs that a preview can live with
    """There is no API server to ask; the text says why."""


def taker(environment: Mapping[str, str] = os.environ) -> dict[str, str] | None:
    """Address and certificate authority of the API server that takes recorded clusters' objects,
    as a kubeconfig writes them; None without one, or without an authority of its own."""
    override = environment.get(OVERRIDE)
    if not override:
        return None
    from local.kubeconfig import Kubeconfig

    found = Kubeconfig.read(Path(override))
    if not found.certificate_authority:
        return None
    authority = base64.b64encode(found.certificate_authority.encode()).decode()
    return {"server": found.server, "certificate-authority-data": authority}


def connect(
    settings: ClusterSettings,
    root: Path,
    on_warning: Callable[[str], None],
    environment: Mapping[str, str] = os.environ,
) -> "KubeClient":
    """A client of the cluster that `settings` mean.

    A kubeconfig that isn't known yet, or that names a recorded cluster, gives way to the file that
    AGENTIC_STANDIN_KUBECONFIG names. Raises NoCluster without one, UserError for an unusable file.
    """
    from local.kube import KubeClient
    from local.kubeconfig import Kubeconfig

    given = settings.kubeconfig
    if given is None:
        raise UserError(
            "kubernetes: the provider has no kubeconfig and a stand-in takes none from the "
            "surroundings: give the provider one"
        )
    path = _path(given, root)
    if given == UNKNOWN or _recorded(_text(path) if path else given, environment):
        override = environment.get(OVERRIDE)
        if not override:
            raise NoCluster(
                "its cluster is not known before the update"
                if given == UNKNOWN
                else "its cluster is recorded, not real"
            )
        return KubeClient(Kubeconfig.read(Path(override)), on_warning=on_warning)
    config = Kubeconfig.read(path, settings.context) if path else _inline(given, settings.context)
    return KubeClient(config, on_warning=on_warning)


def _recorded(text: str, environment: Mapping[str, str]) -> bool:
    """Whether the cluster is only recorded; with a taker only the login by `aws` tells."""
    if RECORDED in text:
        return True
    server = taker(environment)
    return bool(server and server["server"] in text and '"get-token"' in text)


def _path(given: str, root: Path) -> Path | None:
    """The file that a kubeconfig value names; None when it is the text itself."""
    return None if "\n" in given or "{" in given else root / given


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""  # reading it for real tells what is wrong


def _inline(text: str, context: str | None) -> Any:
    from local.kubeconfig import Kubeconfig

    descriptor, name = tempfile.mkstemp(prefix="kubeconfig-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        return Kubeconfig.read(Path(name), context)
    except UserError as error:
        lines = [line.replace(name, "the provider's kubeconfig") for line in error.lines]
        raise UserError(*lines) from error
    finally:
        Path(name).unlink()


def _true(value: Any) -> bool:
    return str(value).lower() == "true"
