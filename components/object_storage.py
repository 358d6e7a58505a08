"""S3 buckets: encrypted with a key of ours, versioned, private, reached by TLS only."""

import json
from typing import Any, NamedTuple

import pulumi
from pulumi_aws import s3
from pydantic import Field, PositiveInt

from components.backup import BACKUP_TAG
from components.base import ConfigModel


class BucketConfig(ConfigModel):
    """How long one bucket keeps what it holds."""

    expire_days: PositiveInt | None = None
    """Objects older than this go; never when left out."""
    infrequent_access_days: int | None = Field(default=None, ge=30)
    """Objects older than this move to cheaper storage; S3 takes no less than 30."""
    old_version_days: PositiveInt = 30
    """How long an overwritten or deleted object can be brought back."""
    backup: bool = False
    """Copied by `backup` too, beyond its own versions."""


class ObjectStorageConfig(ConfigModel):
    """The platform's buckets."""

    buckets: dict[str, BucketConfig] = Field(min_length=1)
    """By name; the reference architecture has models, vectors, traces and artifacts."""


def tls_only_policy(bucket_arn: str) -> dict[str, Any]:
    """Nobody, not even an administrator, reads or writes without TLS."""
    statement = {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [bucket_arn, f"{bucket_arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def reader_writer_policy(bucket_arn: str, key_arn: str) -> dict[str, Any]:
    """What a workload needs that keeps its data in one bucket."""
    statements = [
        {
            "Sid": "List",
            "Effect": "Allow",
            "Action": ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
            "Resource": bucket_arn,
        },
        {
            "Sid": "ReadAndWrite",
            "Effect": "Allow",
            "Action": [
                "s3:AbortMultipartUpload",
                "s3:DeleteObject",
                "s3:GetObject",
                "s3:ListMultipartUploadParts",
                "s3:PutObject",
            ],
            "Resource": f"{bucket_arn}/*",
        },
        {
            "Sid": "UseTheKey",
            "Effect": "Allow",
            "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
            "Resource": key_arn,
        },
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def lifecycle_rules(config: BucketConfig) -> list[dict[str, Any]]:
    """One rule over the whole bucket; it also removes uploads that never ended."""
    rule: dict[str, Any] = {
        "id": "age",
        "status": "Enabled",
        "filter": {"prefix": ""},
        "abort_incomplete_multipart_upload": {"days_after_initiation": 7},
        "noncurrent_version_expiration": {"noncurrent_days": config.old_version_days},
    }
    if config.expire_days is not None:
        rule["expiration"] = {"days": config.expire_days}
    if config.infrequent_access_days is not None:
        days = config.infrequent_access_days
        rule["transitions"] = [{"days": days, "storage_class": "STANDARD_IA"}]
    return [rule]


class Bucket(NamedTuple):
    """What the users of a bucket need to know."""

    name: pulumi.Output[str]
    arn: pulumi.Output[str]


class ObjectStorage(pulumi.ComponentResource):
    """The buckets of a platform, by their short names."""

    buckets: dict[str, Bucket]

    def __init__(
        self,
        name: str,
        *,
        config: ObjectStorageConfig,
        key_arn: pulumi.Input[str],
        protect: bool,
        retain: bool = False,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("agentic:foundation:ObjectStorage", name, None, opts)
        self.buckets = {}
        keep = pulumi.ResourceOptions(parent=self, protect=protect, retain_on_delete=retain)
        for short, settings in config.buckets.items():
            bucket = self._bucket(f"{name}-{short}", settings, key_arn, keep)
            self.buckets[short] = Bucket(bucket.bucket, bucket.arn)
        self.register_outputs({"names": {it: self.buckets[it].name for it in self.buckets}})

    def _bucket(
        self,
        name: str,
        config: BucketConfig,
        key_arn: pulumi.Input[str],
        keep: pulumi.ResourceOptions,
    ) -> Any:
        child = pulumi.ResourceOptions(parent=self)
        bucket = s3.Bucket(
            name,
            # A protected bucket is never emptied by Pulumi; an unprotected one goes with its stack.
            force_destroy=not keep.protect,
            tags={BACKUP_TAG: "true"} if config.backup else None,
            opts=keep,
        )
        self._close(name, bucket)
        versioning = s3.BucketVersioning(
            name, bucket=bucket.id, versioning_configuration={"status": "Enabled"}, opts=child
        )
        encryption = {"sse_algorithm": "aws:kms", "kms_master_key_id": key_arn}
        s3.BucketServerSideEncryptionConfiguration(
            name,
            bucket=bucket.id,
            rules=[
                {
                    "apply_server_side_encryption_by_default": encryption,
                    "bucket_key_enabled": True,
                }
            ],
            opts=child,
        )
        s3.BucketLifecycleConfiguration(
            name,
            bucket=bucket.id,
            rules=lifecycle_rules(config),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[versioning]),
        )
        return bucket

    def _close(self, name: str, bucket: Any) -> None:
        """Nobody outside of the account, and nobody without TLS."""
        child = pulumi.ResourceOptions(parent=self)
        s3.BucketOwnershipControls(
            name,
            bucket=bucket.id,
            rule={"object_ownership": "BucketOwnerEnforced"},
            opts=child,
        )
        closed = s3.BucketPublicAccessBlock(
            name,
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child,
        )
        s3.BucketPolicy(
            name,
            bucket=bucket.id,
            policy=bucket.arn.apply(lambda arn: json.dumps(tls_only_policy(arn))),
            # S3 refuses the two at once.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[closed]),
        )
