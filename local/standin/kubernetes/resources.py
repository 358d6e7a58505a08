"""One resource's life on an API server: previewed, created, updated, read, deleted."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from local.standin.kubernetes import readiness
from local.standin.kubernetes.drift import drifted
from local.standin.kubernetes.inputs import Token, annotation
from local.standin.kubernetes.objects import (
    FIELD_MANAGER,
    apply_when_known,
    as_sent,
    delete_and_wait,
    describe,
    field_manager,
    find,
    from_identity,
    identity,
    outputs,
    owned_by,
    release,
)
from local.standin.kubernetes.validation import REASONS, Tally, Verdict, dry_run, with_metadata
from local.standin.server import EngineLog
from local.standin.wire import Properties, has_unknown, plain

if TYPE_CHECKING:
    from local.kube import KubeClient

PATCH_FORCE = "pulumi.com/patchForce"
PROPAGATION = "pulumi.com/deletionPropagationPolicy"
SERVER_FIELDS = ("uid", "creationTimestamp", "managedFields", "resourceVersion", "generation")
_current = threading.local()


class Refused(Exception):  # noqa: N818 - the outcome of a request, not a fault of the program
    """The operation was not done; the text is for the person at the CLI."""


class Resources:
    """Operations on one cluster. `client` None: a preview before there is a cluster."""

    def __init__(self, client: "KubeClient | None", log: EngineLog, why: str = "") -> None:
        self._client = client
        self._log = log
        self._why_none = why
        self._tally = Tally()

    @staticmethod
    def warning_printer(log: EngineLog) -> Callable[[str], None]:
        """Shows the API server's warnings below the resource that a thread works on."""
        return lambda text: log.warning(text, getattr(_current, "urn", ""))

    def namespaced(self, api_version: str, kind: str) -> bool | None:
        """None when there is nobody to ask, or the kind's CRD is not loaded."""
        from local.kube import UnknownKind

        if self._client is None or has_unknown([api_version, kind]):
            return None
        try:
            return self._client.resource_type(api_version, kind).namespaced
        except UnknownKind:
            return None

    def preview(self, urn: str, inputs: Properties, state: Properties) -> Properties:
        """Known outputs of an update that is not done; raises Refused as the server would."""
        what = describe(urn, inputs)
        verdict: Verdict = "no-cluster"
        if self._client is not None:
            try:
                with _about(urn, what):
                    verdict = self._judge(self._client, urn, inputs, state)
            except Refused:
                self._tally.add("refused", what, inputs)
                raise
        if self._tally.add(verdict, what, inputs):
            more = f" ({self._why_none})" if self._why_none else ""
            self._log.info(f"{what} and perhaps others: {REASONS[verdict]}{more}", urn)
        kept = {key: state[key] for key in (FIELD_MANAGER,) if key in state}
        return inputs | kept

    def _judge(
        self, client: "KubeClient", urn: str, inputs: Properties, state: Properties
    ) -> Verdict:
        manager = field_manager(urn, state)
        there = self._own_object(client, urn, inputs, state)
        manifest = self._sent(urn, inputs, manager)
        if there and manifest["kind"] != "CustomResourceDefinition":
            # A replacement: the object in its place goes first, so that its immutable fields must
            # not count. A CRD alone can't be judged under another name.
            manifest = with_metadata(manifest, name=f"{manifest['metadata']['name']}-replaced")
        return dry_run(client, manifest, manager)

    def create(self, urn: str, inputs: Properties) -> tuple[str, Properties]:
        """Apply; an object of that name that is not this resource's own is refused."""
        client, manager = self._require(), field_manager(urn)
        with _about(urn, describe(urn, inputs)):
            self._own_object(client, urn, inputs, {})
            live = apply_when_known(client, self._sent(urn, inputs, manager), manager)
            live = self._await(client, inputs, live)
        return identity(live), outputs(live, inputs, manager)

    def update(self, urn: str, inputs: Properties, state: Properties) -> Properties:
        """Apply with the manager that owns the fields; other writers lose what they took."""
        client, manager = self._require(), field_manager(urn, state)
        with _about(urn, describe(urn, inputs)):
            live = apply_when_known(client, self._sent(urn, inputs, manager), manager)
            live = self._await(client, inputs, live)
        return outputs(live, inputs, manager)

    def read(
        self, urn: str, name: str, inputs: Properties, state: Properties
    ) -> tuple[Properties, Properties] | None:
        """(inputs, outputs) as the cluster has them; None when the object is gone."""
        client, manager = self._require(), field_manager(urn, state)
        token = Token.of(urn)
        namespace, bare = from_identity(name)
        manifest = inputs or {"apiVersion": token.api_version, "kind": token.kind}
        manifest = manifest | {"metadata": {"name": bare, "namespace": namespace}}
        with _about(urn, describe(urn, manifest)):
            live = find(client, plain(manifest))
            if live is None:
                return None
            if not inputs:
                imported = _importable(live)
                return imported, outputs(live, imported, manager)
            found = drifted(client, inputs, self._sent(urn, inputs, manager), live, manager)
        current = inputs if found is None else found
        return current, outputs(live, current, manager)

    def delete(
        self, urn: str, inputs: Properties, state: Properties, timeout_seconds: float
    ) -> None:
        """Delete and wait until it is gone; a patch gives its fields back instead."""
        client, manifest = self._require(), plain(inputs)
        with _about(urn, describe(urn, manifest)):
            if Token.of(urn).is_patch:
                release(client, manifest, field_manager(urn, state))
                return
            delete_and_wait(
                client,
                manifest,
                propagation=_propagation(annotation(manifest, PROPAGATION)),
                timeout_seconds=timeout_seconds,
            )

    @staticmethod
    def _sent(urn: str, inputs: Properties, manager: str) -> Properties:
        return as_sent(inputs, None if Token.of(urn).is_patch else manager)

    @staticmethod
    def _own_object(client: "KubeClient", urn: str, inputs: Properties, state: Properties) -> bool:
        """Whether a new resource finds an object of its own; raises Refused for another's.

        Its own: the one that it replaces, or one that a killed run made and could not record.
        """
        metadata = inputs["metadata"]
        names = [metadata.get("name"), metadata.get("namespace")]
        if state or Token.of(urn).is_patch or has_unknown(names):
            return False
        live = find(client, plain(inputs))
        if live is None or annotation(plain(inputs), PATCH_FORCE) == "true":
            return False
        if owned_by(live, field_manager(urn)):
            return True
        raise Refused(
            f"{describe(urn, inputs)} already exists (AlreadyExists) and is not this resource's: "
            f'delete it, import it, or set the annotation {PATCH_FORCE}: "true"'
        )

    def _await(self, client: "KubeClient", inputs: Properties, live: Properties) -> Properties:
        return readiness.awaited(client, inputs, live) if readiness.wanted(inputs) else live

    def _require(self) -> "KubeClient":
        if self._client is None:
            raise Refused(f"kubernetes: no API server to work on: {self._why_none}")
        return self._client


@contextmanager
def _about(urn: str, what: str) -> Iterator[None]:
    """Errors inside name the object; warnings inside go to the resource."""
    from local.kube import ApiError

    _current.urn = urn
    try:
        yield
    except ApiError as error:
        raise Refused(f"{what}: {error.message}") from error
    finally:
        _current.urn = ""


def _importable(live: Properties) -> Properties:
    metadata = {k: v for k, v in live["metadata"].items() if k not in SERVER_FIELDS}
    return {k: v for k, v in live.items() if k != "status"} | {"metadata": metadata}


def _propagation(text: str | None) -> Any:
    return {"background": "Background", "orphan": "Orphan"}.get((text or "").lower(), "Foreground")
