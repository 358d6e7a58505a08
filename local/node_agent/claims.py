"""PersistentVolumeClaims: each gets a volume, which is a folder below `<state>/volumes`.

The agent is the provisioner; binding claim and volume is the controller manager's part.
"""

import asyncio
import logging
import shutil
from pathlib import Path

from local.api_transport import ApiError
from local.node_agent.api import Api
from local.node_agent.informer import Informer
from local.node_agent.objects import Manifest, named, uid_of
from local.node_agent.sources import Lookup, SourceMissing

LOG = logging.getLogger(__name__)
STORAGE_CLASS = "local"
PROVISIONER = "process.local/volumes"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"


def storage_class() -> Manifest:
    """The cluster's default class; bound at once, because there is only one node."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": STORAGE_CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": PROVISIONER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
        "allowVolumeExpansion": True,
    }


def is_ours(claim: Manifest) -> bool:
    """Whether the agent provides for this claim: class `local`, and no volume yet.

    A claim that names no class gets the default one from the API server or from the controller
    manager, so an unset class is only a matter of time.
    """
    metadata, spec = claim["metadata"], claim["spec"]
    if metadata.get("deletionTimestamp") or spec.get("selector"):
        return False
    return spec.get("storageClassName") == STORAGE_CLASS and not spec.get("volumeName")


def volume_name(claim: Manifest) -> str:
    return f"pvc-{uid_of(claim)}"


def persistent_volume(claim: Manifest, root: Path) -> Manifest:
    """The volume that serves `claim`; its size is what was asked for, and not enforced."""
    metadata, spec = claim["metadata"], claim["spec"]
    reference = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
    reference |= {key: metadata[key] for key in ("namespace", "name", "uid")}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": volume_name(claim),
            "annotations": {PROVISIONED_BY: PROVISIONER},
        },
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": STORAGE_CLASS,
            "hostPath": {"path": str(root / volume_name(claim)), "type": "DirectoryOrCreate"},
            "claimRef": reference,
        },
    }


def claim_folder(claim: Manifest | None, name: str, persistent_volumes: Lookup, root: Path) -> Path:
    """The folder of a bound claim; raises SourceMissing.

    Only folders directly below `root` are served: a hand-made volume may name any host path.
    """
    if claim is None:
        raise SourceMissing(f'persistentvolumeclaim "{name}" not found')
    volume = persistent_volumes("", (claim["spec"].get("volumeName") or ""))
    if (claim.get("status") or {}).get("phase") != "Bound" or volume is None:
        raise SourceMissing(f'persistentvolumeclaim "{name}" is not bound yet')
    folder = Path((volume["spec"].get("hostPath") or {}).get("path", ""))
    if folder != root / volume["metadata"]["name"]:
        raise SourceMissing(
            f'persistentvolumeclaim "{name}" is bound to a volume that this node did not make; '
            f"use storage class {STORAGE_CLASS!r}"
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


class Claims:
    """Provides for claims as they come and removes the folders of volumes that were released."""

    def __init__(self, api: Api, root: Path, claims: Informer, volumes: Informer) -> None:
        self._api = api
        self._root = root
        self._claims = claims
        self._volumes = volumes

    async def reconcile(self) -> None:
        """One pass over all claims and volumes; raises ApiError."""
        for claim in list(self._claims.objects.values()):
            if is_ours(claim):
                await self._provide(claim)
        for volume in list(self._volumes.objects.values()):
            await self._reclaim(volume)

    async def _provide(self, claim: Manifest) -> None:
        volume = persistent_volume(claim, self._root)
        name = volume["metadata"]["name"]
        (self._root / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            await self._api.create("PersistentVolume", volume)
        except ApiError as error:
            if error.status != 409:
                raise
        else:
            LOG.info("volume %s made for claim %s", name, named(claim))

    async def _reclaim(self, volume: Manifest) -> None:
        """Remove a volume of ours whose claim is gone, and its data, as policy Delete says."""
        metadata, spec = volume["metadata"], volume["spec"]
        if (metadata.get("annotations") or {}).get(PROVISIONED_BY) != PROVISIONER:
            return
        if spec.get("persistentVolumeReclaimPolicy") != "Delete":
            return
        reference = spec.get("claimRef") or {}
        claim = self._claims.get(reference.get("namespace", ""), reference.get("name", ""))
        if claim is not None and uid_of(claim) == reference.get("uid"):
            return
        # The informer may lag behind; only the API server knows that the claim is gone.
        live = await self._api.find(
            "PersistentVolumeClaim", reference.get("namespace", ""), reference.get("name", "")
        )
        if live is not None and uid_of(live) == reference.get("uid"):
            return
        await self._api.delete("PersistentVolume", "", metadata["name"])
        folder = self._root / metadata["name"]
        if spec.get("hostPath", {}).get("path") == str(folder):
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        LOG.info("removed volume %s", metadata["name"])
