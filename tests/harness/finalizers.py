"""A controller for tests: it takes its finalizer off what is being deleted, as a real one would
once it has cleaned up, and remembers in which order."""

import threading

from local.kube import ApiError, KubeClient, Manifest

FINALIZER = "teardown.example.com/resources"


class Finalizers:
    """Runs in a thread while it is entered; `freed` are the objects that it let go."""

    def __init__(self, client: KubeClient, *kinds: tuple[str, str]) -> None:
        self._client, self._kinds = client, kinds
        self._stop = threading.Event()
        self.freed: list[Manifest] = []

    def __enter__(self) -> "Finalizers":
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def kinds(self) -> list[str]:
        """Of what went, in order."""
        return [it["kind"] for it in self.freed]

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            for version, kind in self._kinds:
                for each in self._client.list(version, kind):
                    self._look(version, kind, each)

    def _look(self, version: str, kind: str, obj: Manifest) -> None:
        metadata = obj["metadata"]
        if "deletionTimestamp" in metadata and FINALIZER in metadata.get("finalizers", []):
            self.freed.append(obj | {"kind": kind})
            free(self._client, version, kind, obj)
        elif kind == "PersistentVolume" and obj.get("status", {}).get("phase") == "Released":
            # What a CSI driver's provisioner does once it has deleted the disk.
            self._client.delete(version, kind, metadata["name"])


def free(client: KubeClient, version: str, kind: str, obj: Manifest) -> None:
    """Take all finalizers off an object, if it is there."""
    metadata = obj["metadata"]
    nothing = {"metadata": {"finalizers": None}}
    try:
        client.patch(version, kind, metadata["name"], nothing, metadata.get("namespace"))
    except ApiError as error:
        if error.reason != "NotFound":
            raise
