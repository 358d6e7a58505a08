"""The few questions that a teardown asks an API server, by a kubeconfig and nothing ambient."""

import json
import threading
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

from components.drain import Kind, Manifest

NOT_FOUND, CONFLICT, TOO_MANY, SERVER_ERROR = 404, 409, 429, 500
ATTEMPTS = 5
PAUSE_SECONDS = 1.0

T = TypeVar("T")


class Unreachable(Exception):  # noqa: N818 - a state of affairs, not a fault of the program
    """The API server did not answer, or let nobody in; the text is one line."""


class ClusterClient:
    """Lists, deletes and patches objects; each request is tried a few times."""

    def __init__(self, kubeconfig: str) -> None:
        """`kubeconfig`: JSON, with the login in it (`exec` runs at the first request)."""
        # Loaded only where something is deleted: it takes half a second.
        from lightkube import Client, KubeConfig

        config = KubeConfig.from_dict(json.loads(kubeconfig))
        # Its overloads know no kind that is only named at run time.
        self._client: Any = Client(config=config.get(), field_manager="agentic-platform-teardown")
        self._pause = threading.Event()

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> "ClusterClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def list(self, kind: Kind) -> list[Manifest]:
        """All objects of a kind, in every namespace; none where the kind is not installed."""
        resource = _resource(kind)
        where = {"namespace": "*"} if kind.namespaced else {}
        return self._tried(
            lambda: [it.to_dict() for it in self._client.list(resource, **where)], []
        )

    def delete(self, kind: Kind, obj: Manifest) -> None:
        """Ask for its deletion; one that is gone already is no error."""
        self._tried(lambda: self._client.delete(_resource(kind), **_address(kind, obj)), None)

    def patch(self, kind: Kind, obj: Manifest, change: Mapping[str, Any]) -> None:
        """A merge patch; an object that is gone by now is no error."""
        from lightkube.types import PatchType

        where = _address(kind, obj)
        self._tried(
            lambda: self._client.patch(
                _resource(kind), obj=change, patch_type=PatchType.MERGE, **where
            ),
            None,
        )

    def pause(self, seconds: float) -> None:
        """Between two looks."""
        self._pause.wait(seconds)

    def _tried(self, request: Callable[[], T], missing: T) -> T:
        import httpx2
        from lightkube.core.exceptions import ConfigError

        problem = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                self._pause.wait(PAUSE_SECONDS * attempt)
            try:
                return request()
            except httpx2.HTTPStatusError as error:
                code = error.response.status_code
                if code == NOT_FOUND:
                    return missing
                problem = _one_line(error)
                if code not in (CONFLICT, TOO_MANY) and code < SERVER_ERROR:
                    break
            except (httpx2.HTTPError, ConfigError, OSError) as error:
                problem = _one_line(error)
        raise Unreachable(problem)


def _address(kind: Kind, obj: Manifest) -> dict[str, str]:
    """Where one object is, as the client's calls take it."""
    metadata = obj["metadata"]
    place = {"namespace": metadata["namespace"]} if kind.namespaced else {}
    return {"name": metadata["name"], **place}


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


@cache
def _resource(kind: Kind) -> Any:
    from lightkube.generic_resource import create_global_resource, create_namespaced_resource

    group, _, version = kind.api_version.rpartition("/")
    make = create_namespaced_resource if kind.namespaced else create_global_resource
    return make(group, version, kind.kind, kind.plural)
