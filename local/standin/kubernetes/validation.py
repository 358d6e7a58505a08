"""Asking the API server in a preview what it would say in an update."""

import json
import os
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from local.standin.wire import UNKNOWN, Properties, has_unknown, plain

if TYPE_CHECKING:
    from local.kube import KubeClient

REPORT = "AGENTIC_STANDIN_REPORT"
Verdict = Literal["checked", "refused", "schema", "unknown-kind", "unknown-values", "no-cluster"]
REASONS: dict[Verdict, str] = {
    "checked": "checked by the API server",
    "refused": "refused by the API server",
    "schema": "checked against the schema only: the namespace does not exist yet",
    "unknown-kind": "not checked: the API server does not know the kind (no CRD loaded)",
    "unknown-values": "not checked: holds values that are known only after the update",
    "no-cluster": "not checked: there is no API server to ask",
}


class Tally:
    """How well each object of a preview could be checked: counted, and listed for whoever asks.

    With AGENTIC_STANDIN_REPORT each verdict is a JSON line in that file.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._lock = threading.Lock()
        self._file = environment.get(REPORT)
        self.counts: Counter[Verdict] = Counter()

    def add(self, verdict: Verdict, what: str, inputs: Properties) -> bool:
        """Count it; True the first time that something could not be checked in full."""
        with self._lock:
            self.counts[verdict] += 1
            if self._file:
                names = {key: plain(inputs.get(key)) for key in ("apiVersion", "kind")}
                line = json.dumps({"object": what, "verdict": verdict} | names)
                with Path(self._file).open("a", encoding="utf-8") as stream:
                    stream.write(line + "\n")
            return verdict != "checked" and self.counts[verdict] == 1


def dry_run(client: "KubeClient", manifest: Properties, manager: str) -> Verdict:
    """Let the server judge `manifest`; raises ApiError when it refuses it."""
    from local.kube import ApiError, UnknownKind

    namespace = manifest["metadata"].get("namespace")
    if namespace == UNKNOWN:
        manifest = with_metadata(manifest, namespace="default")
    if has_unknown(manifest):
        return "unknown-values"
    try:
        client.apply(manifest, manager, dry_run=True)
    except UnknownKind:
        return "unknown-kind"
    except ApiError as error:
        if not _namespace_is_missing(error):
            raise
        client.apply(with_metadata(manifest, namespace="default"), manager, dry_run=True)
        return "schema"
    return "schema" if namespace == UNKNOWN else "checked"


def with_metadata(manifest: Properties, **changes: Any) -> Properties:
    """A copy of `manifest` with other metadata."""
    return manifest | {"metadata": manifest["metadata"] | changes}


def _namespace_is_missing(error: Any) -> bool:
    return bool(error.status == 404 and error.message.startswith("namespaces "))
