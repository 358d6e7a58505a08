"""Copies of every Milvus collection in object storage, by milvus-backup on a schedule."""

from typing import Any

import yaml
from pulumi import Input, Output, ResourceOptions
from pydantic import Field, PositiveInt

from components.base import ConfigModel, metadata
from components.kubernetes_object import kubernetes_object
from components.pod_security import restricted_container, restricted_pod

NAME = "milvus-backup"
ROOT_PATH = "milvus-backup"
ADDRESS = "milvus.ai-data.svc.cluster.local"
DIRECTORY = "/etc/milvus-backup"
CERTIFICATE_DIRECTORY = "/etc/milvus/certs"
PASSWORD_SECRET = "milvus-auth"  # noqa: S105 # the name of a Secret


class VectorStoreBackupConfig(ConfigModel):
    """When copies are made, and by what."""

    schedule: str = Field(default="30 2 * * *", pattern=r"^\S+( \S+){4}$")
    """Cron line in UTC."""
    # renovate: datasource=docker depName=milvusdb/milvus-backup
    image: str = Field(default="milvusdb/milvus-backup:v0.5.16", pattern=r"^[^:@]+(:[^:]+|@.+)$")
    """The tool; its restore is run by hand (docs/memory.md)."""
    deadline_seconds: PositiveInt = 7200
    """A copy that takes longer is given up."""
    service_account: str = "milvus"
    """The ServiceAccount whose Pod Identity may read and write the bucket."""


def backup_settings(*, bucket: str, region: str, tls: bool, user: bool) -> str:
    """The tool's configuration file; the password comes by environment."""
    storage = {
        "storageType": "aws",
        "address": f"s3.{region}.amazonaws.com",
        "port": 443,
        "region": region,
        "useSSL": True,
        "useIAM": True,
        "bucketName": bucket,
        "rootPath": "milvus",
        "backupStorageType": "aws",
        "backupAddress": f"s3.{region}.amazonaws.com",
        "backupPort": 443,
        "backupRegion": region,
        "backupUseSSL": True,
        "backupUseIAM": True,
        "backupBucketName": bucket,
        "backupRootPath": ROOT_PATH,
    }
    milvus: dict[str, Any] = {
        "address": ADDRESS,
        "port": 19530,
        "user": "root" if user else "",
        "tlsMode": 1 if tls else 0,
    }
    if tls:
        milvus["caCertPath"] = f"{CERTIFICATE_DIRECTORY}/ca.crt"
        milvus["serverName"] = ADDRESS
    log = {"level": "info", "console": True, "file": {"filename": "/tmp/backup.log"}}  # noqa: S108 # in the container
    # else it asks localhost, and files may be cleared away while they are copied
    pause = {"gcPause": {"enable": True, "address": f"http://{ADDRESS}:9091"}}
    return yaml.safe_dump({"log": log, "milvus": milvus, "minio": storage, "backup": pause})


def backup_manifests(
    config: VectorStoreBackupConfig,
    *,
    namespace: Any,
    settings: Any,
    tls: bool,
    authentication: bool,
) -> list[dict[str, Any]]:
    """The settings and the CronJob; one copy at a time, each named by its time."""
    about = metadata(NAME, component="data", namespace=namespace)
    pod = {
        "restartPolicy": "Never",
        "priorityClassName": "agentic-batch",
        "serviceAccountName": config.service_account,
        "automountServiceAccountToken": False,
        # else Kubernetes sets MILVUS_PORT, which the tool would take for its own setting
        "enableServiceLinks": False,
        "securityContext": restricted_pod(),
        "containers": [_container(config, tls=tls, authentication=authentication)],
        "volumes": _volumes(tls=tls),
    }
    job = {
        "backoffLimit": 2,
        "activeDeadlineSeconds": config.deadline_seconds,
        "template": {"metadata": {"labels": about["labels"]}, "spec": pod},
    }
    cron_job = {
        "schedule": config.schedule,
        "timeZone": "Etc/UTC",
        "concurrencyPolicy": "Forbid",
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 3,
        "startingDeadlineSeconds": 3600,
        "jobTemplate": {"spec": job},
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata(NAME, component="data", namespace=namespace),
            "data": {"backup.yaml": settings},
        },
        {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": about, "spec": cron_job},
    ]


def _container(
    config: VectorStoreBackupConfig, *, tls: bool, authentication: bool
) -> dict[str, Any]:
    program = f"exec /app/milvus-backup create --config {DIRECTORY}/backup.yaml"
    mounts = [
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 # in the container
        {"name": "settings", "mountPath": DIRECTORY, "readOnly": True},
    ]
    if tls:
        mounts.append({"name": "ca", "mountPath": CERTIFICATE_DIRECTORY, "readOnly": True})
    container: dict[str, Any] = {
        "name": "backup",
        "image": config.image,
        "command": ["sh", "-c", f'{program} --name "backup_$(date -u +%Y%m%d_%H%M%S)"'],
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": restricted_container(),
        "volumeMounts": mounts,
    }
    if authentication:
        source = {"secretKeyRef": {"name": PASSWORD_SECRET, "key": "root"}}
        container["env"] = [{"name": "MILVUS_PASSWORD", "valueFrom": source}]
    return container


def _volumes(*, tls: bool) -> list[dict[str, Any]]:
    volumes: list[dict[str, Any]] = [
        {"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}},
        {"name": "settings", "configMap": {"name": NAME}},
    ]
    if tls:
        items = [{"key": "ca.crt", "path": "ca.crt"}]
        volumes.append({"name": "ca", "secret": {"secretName": "milvus-tls", "items": items}})
    return volumes


def add_backup(
    name: str,
    config: VectorStoreBackupConfig,
    *,
    namespace: Input[str],
    bucket: Input[str],
    region: Input[str],
    tls: bool,
    authentication: bool,
    opts: ResourceOptions,
) -> None:
    """Make both objects."""
    settings = Output.all(bucket=bucket, region=region).apply(
        lambda each: backup_settings(**each, tls=tls, user=authentication)
    )
    for manifest in backup_manifests(
        config,
        namespace=namespace,
        settings=settings,
        tls=tls,
        authentication=authentication,
    ):
        kubernetes_object(f"{name}-backup-{manifest['kind'].lower()}", manifest, opts=opts)
