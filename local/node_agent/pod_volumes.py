"""A Pod's volumes on the host: made before its containers start, kept fresh while they run."""

import time
from pathlib import Path
from typing import Protocol

from local.node_agent import volume_files
from local.node_agent.api import Api, path_of
from local.node_agent.claims import claim_folder
from local.node_agent.launch import PodFolders
from local.node_agent.objects import Manifest
from local.node_agent.sources import Lookup, SourceMissing, Sources
from local.node_agent.volumes import FILE_KINDS, TokenRequest, files, token_requests

REFRESH_SHARE = 0.8
"""A token is replaced when this share of its life is over, as the kubelet does."""


class VolumeContext(Protocol):
    """What volumes need of the node."""

    @property
    def api(self) -> Api: ...
    @property
    def volumes_root(self) -> Path: ...
    @property
    def claim(self) -> Lookup: ...
    @property
    def persistent_volume(self) -> Lookup: ...


class PodVolumes:
    """`path` is valid after `prepare`; `refresh` rewrites what changed."""

    def __init__(self, context: VolumeContext, folders: PodFolders) -> None:
        self._context = context
        self._folders = folders
        self._paths: dict[str, Path] = {}
        self._tokens: dict[TokenRequest, tuple[str, float]] = {}

    def path(self, name: str) -> Path:
        if name not in self._paths:
            raise SourceMissing(f"volume {name!r} is not part of the Pod")
        return self._paths[name]

    async def prepare(self, sources: Sources) -> None:
        """Make every volume; raises SourceMissing naming the first that can't be, or ApiError."""
        for volume in sources.pod["spec"].get("volumes") or []:
            try:
                self._paths[volume["name"]] = await self._make(volume, sources)
            except SourceMissing as error:
                message = f'MountVolume.SetUp failed for volume "{volume["name"]}" : {error}'
                raise SourceMissing(message) from error

    async def refresh(self, sources: Sources) -> None:
        """Bring the files up to date; raises like `prepare`, and then keeps the old files."""
        for volume in sources.pod["spec"].get("volumes") or []:
            if any(kind in volume for kind in FILE_KINDS):
                await self._write_files(volume, sources)

    async def _make(self, volume: Manifest, sources: Sources) -> Path:
        if any(kind in volume for kind in FILE_KINDS):
            return await self._write_files(volume, sources)
        if "emptyDir" in volume:
            folder = self._folders.volume(volume["name"])
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return folder
        if "persistentVolumeClaim" in volume:
            name = volume["persistentVolumeClaim"]["claimName"]
        elif "ephemeral" in volume:
            name = f"{sources.pod['metadata']['name']}-{volume['name']}"
        else:
            kind = next((key for key in volume if key != "name"), "none")
            raise SourceMissing(
                f"volumes of type {kind} are not supported on this node; use configMap, secret, "
                "projected, downwardAPI, emptyDir or persistentVolumeClaim"
            )
        context = self._context
        claim = context.claim(sources.namespace, name)
        return claim_folder(claim, name, context.persistent_volume, context.volumes_root)

    async def _write_files(self, volume: Manifest, sources: Sources) -> Path:
        folder = self._folders.volume(volume["name"])
        for request in token_requests(volume):
            await self._fetch(request, sources.pod)
        made = files(volume, sources, lambda request: self._tokens[request][0])
        volume_files.write(folder, made)
        return folder

    async def _fetch(self, request: TokenRequest, pod: Manifest) -> None:
        known = self._tokens.get(request)
        if known and time.monotonic() < known[1]:
            return
        metadata = pod["metadata"]
        account = pod["spec"].get("serviceAccountName") or "default"
        namespace = metadata["namespace"]
        path = path_of("ServiceAccount", namespace, account, "token")
        bound = {"apiVersion": "v1", "kind": "Pod"}
        bound |= {"name": metadata["name"], "uid": metadata["uid"]}
        spec = {"expirationSeconds": request.expiration_seconds, "boundObjectRef": bound}
        audiences = {"audiences": [request.audience]} if request.audience else {}
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": spec | audiences,
        }
        answer = await self._context.api.request("POST", path, body)
        lifetime = request.expiration_seconds * REFRESH_SHARE
        self._tokens[request] = (answer["status"]["token"], time.monotonic() + lifetime)
