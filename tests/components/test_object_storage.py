"""Buckets, repositories and keys: what protects the data in them."""

import json
from typing import Any

import pytest

from components.encryption import Encryption, EncryptionConfig
from components.image_registry import ImageRegistry, ImageRegistryConfig
from components.object_storage import BucketConfig, ObjectStorage, ObjectStorageConfig
from tests.harness.cloud import cloud_outputs
from tests.harness.recording import Recording, record

pytestmark = pytest.mark.unit

EXISTING_KEY = "arn:aws:kms:us-west-2:111122223333:key/0a1b2c3d-0000-0000-0000-000000000000"

BUCKETS = ("models", "vectors", "traces", "artifacts")


def storage(*, protect: bool = True) -> Recording:
    config = ObjectStorageConfig(buckets={name: BucketConfig() for name in BUCKETS})

    def build() -> dict[str, Any]:
        made = ObjectStorage("storage", config=config, key_arn="arn:key", protect=protect)
        return {"names": [bucket.name for bucket in made.buckets.values()]}

    return record(build, outputs=cloud_outputs)


@pytest.mark.parametrize("bucket", BUCKETS)
def test_every_bucket_is_closed_encrypted_versioned_and_aged(bucket: str) -> None:
    mine = [it for it in storage().resources if it.name.endswith(bucket)]
    found = {it.type.rsplit(":", 1)[1]: it.inputs for it in mine}
    assert found["BucketPublicAccessBlock"] == {
        "bucket": f"storage-{bucket}-id",
        "blockPublicAcls": True,
        "blockPublicPolicy": True,
        "ignorePublicAcls": True,
        "restrictPublicBuckets": True,
    }
    (rule,) = found["BucketServerSideEncryptionConfiguration"]["rules"]
    assert rule["applyServerSideEncryptionByDefault"] == {
        "sseAlgorithm": "aws:kms",
        "kmsMasterKeyId": "arn:key",
    }
    assert found["BucketVersioning"]["versioningConfiguration"] == {"status": "Enabled"}
    assert found["BucketLifecycleConfiguration"]["rules"][0]["noncurrentVersionExpiration"]
    assert found["BucketOwnershipControls"]["rule"] == {"objectOwnership": "BucketOwnerEnforced"}


def test_nobody_reaches_a_bucket_without_tls() -> None:
    policies = [json.loads(it.inputs["policy"]) for it in storage().of_type(":BucketPolicy")]
    assert len(policies) == len(BUCKETS)
    for policy in policies:
        (statement,) = policy["Statement"]
        assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@pytest.mark.parametrize("protect", [True, False])
def test_only_unprotected_buckets_may_be_emptied(protect: bool) -> None:  # noqa: FBT001 - a parameter
    made = storage(protect=protect)
    assert {it.inputs["forceDestroy"] for it in made.of_type("bucket:Bucket")} == {not protect}


def test_objects_move_and_go_when_the_stack_says_so() -> None:
    config = ObjectStorageConfig(
        buckets={"traces": BucketConfig(expire_days=90, infrequent_access_days=30)}
    )

    def build() -> dict[str, Any]:
        ObjectStorage("storage", config=config, key_arn="arn:key", protect=False)
        return {}

    (made,) = record(build, outputs=cloud_outputs).of_type(":BucketLifecycleConfiguration")
    (rule,) = made.inputs["rules"]
    assert rule["expiration"] == {"days": 90}
    assert rule["transitions"] == [{"days": 30, "storageClass": "STANDARD_IA"}]


def test_image_tags_never_move_and_every_push_is_scanned() -> None:
    def build() -> dict[str, Any]:
        made = ImageRegistry(
            "registry",
            config=ImageRegistryConfig(keep_images=20),
            key_arn="arn:key",
            protect=True,
        )
        return {"url": made.urls["agentic-platform/agent-runtime"]}

    recording = record(build, outputs=cloud_outputs)
    (made,) = recording.of_type(":Repository")
    assert made.inputs["imageTagMutability"] == "IMMUTABLE"
    assert made.inputs["imageScanningConfiguration"] == {"scanOnPush": True}
    assert made.inputs["encryptionConfigurations"] == [
        {"encryptionType": "KMS", "kmsKey": "arn:key"}
    ]
    assert recording.values["url"]


def test_keys_rotate_and_existing_ones_are_used_as_they_are() -> None:
    config = EncryptionConfig(deletion_window_days=30, existing_keys={"storage": EXISTING_KEY})

    def build() -> dict[str, Any]:
        return dict(Encryption("encryption", config=config, protect=True).key_arns)

    made = record(build, outputs=cloud_outputs)
    (key,) = made.of_type("key:Key")
    assert key.inputs["enableKeyRotation"] is True
    assert made.values["storage"] == EXISTING_KEY
