"""Disks that claims left behind; the decision before the driver that deletes them goes."""

from typing import Any

from components.drain import Kind, Listed, Manifest, Step, Surroundings, called, step

CLAIM = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims", namespaced=True)
VOLUME = Kind("v1", "PersistentVolume", "persistentvolumes")
KINDS = (CLAIM, VOLUME)
DRIVERS = {
    "aws-ebs-csi-driver": "ebs.csi.aws.com",
    "ebs.csi.eks.amazonaws.com": "ebs.csi.eks.amazonaws.com",
}
"""Name of the CSI driver by what brings it: the add-on, or Auto Mode's own provisioner."""
WAY_OUT = "its Pod must be gone, and the EBS CSI driver must run, for the disk to be deleted"


def volume_step(listed: Listed, around: Surroundings, *, driver: str, retain: bool) -> Step:
    """Claims on the driver's disks go and their volumes are awaited.

    `retain`: the stack leaves data on AWS, so every disk stays and is only named. A volume whose
    reclaim policy is Retain stays in any case, with its claim.
    """
    volumes = [it for it in listed.get(VOLUME, ()) if _driver(it) == driver and _used(it)]
    claims = {(it["metadata"]["namespace"], it["metadata"]["name"]): it for it in listed[CLAIM]}
    going, kept = [], []
    for volume in volumes:
        reference = volume["spec"].get("claimRef") or {}
        claim = claims.get((reference.get("namespace"), reference.get("name")))
        if retain or volume["spec"].get("persistentVolumeReclaimPolicy") != "Delete":
            kept.append(_kept(volume, reference))
            continue
        going.append((VOLUME, volume))
        if claim is not None:
            going.append((CLAIM, claim))
    candidates = sorted(going, key=lambda it: called(*it))
    # A volume is its claim's to delete; the driver then takes disk and object away.
    return step(
        [it for it in candidates if it[0] is CLAIM], around, kept=sorted(kept)
    ).also_awaiting([it for it in candidates if it[0] is VOLUME])


def _spec_of(volume: Manifest) -> dict[str, Any]:
    return dict(volume["spec"].get("csi") or {})


def _driver(volume: Manifest) -> str:
    return str(_spec_of(volume).get("driver", ""))


def _used(volume: Manifest) -> bool:
    """Not a volume that somebody wrote by hand and nobody ever claimed."""
    return (volume.get("status") or {}).get("phase") in ("Bound", "Released", "Failed")


def _kept(volume: Manifest, reference: dict[str, Any]) -> str:
    disk = _spec_of(volume).get("volumeHandle", "?")
    claim = f"{reference.get('namespace')}/{reference.get('name')}" if reference else "no claim"
    return f"disk {disk} of {claim} (PersistentVolume {volume['metadata']['name']}) stays on AWS"
