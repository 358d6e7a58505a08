"""What AWS Backup copies, how long it keeps it, and where it finds it."""

from typing import Any

import pytest

from components.backup import BACKUP_TAG, Backup, BackupConfig, plan_rule, trust_policy
from components.object_storage import BucketConfig, ObjectStorage, ObjectStorageConfig
from components.storage_class import storage_class_manifest
from tests.harness.cloud import cloud_outputs
from tests.harness.recording import Recording, record

pytestmark = pytest.mark.unit


def backup(**settings: Any) -> Recording:
    def build() -> dict[str, Any]:
        config = BackupConfig(retain_days=35, **settings)
        Backup("backup", config=config, key_arn="arn:key", partition="aws", protect=True)
        return {}

    return record(build, outputs=cloud_outputs)


def test_the_vault_is_encrypted_with_our_key() -> None:
    (vault,) = backup().of_type(":Vault")
    assert vault.inputs["kmsKeyArn"] == "arn:key"


def test_a_locked_vault_keeps_every_copy_for_the_whole_time() -> None:
    (lock,) = backup(locked=True).of_type(":VaultLockConfiguration")
    assert lock.inputs["minRetentionDays"] == 35
    assert "changeableForDays" not in lock.inputs, "with it nobody could ever lift the lock"
    assert backup().of_type(":VaultLockConfiguration") == []


def test_what_carries_the_tag_is_copied() -> None:
    (selection,) = backup().of_type(":Selection")
    assert selection.inputs["selectionTags"] == [
        {"type": "STRINGEQUALS", "key": BACKUP_TAG, "value": "true"}
    ]
    parameters = storage_class_manifest("gp3")["parameters"]
    assert parameters["tagSpecification_1"] == f"{BACKUP_TAG}=true"


def test_buckets_are_copied_when_they_ask_for_it() -> None:
    def build() -> dict[str, Any]:
        buckets = {"models": BucketConfig(), "traces": BucketConfig(backup=True)}
        config = ObjectStorageConfig(buckets=buckets)
        ObjectStorage("storage", config=config, key_arn="arn:key", protect=False)
        return {}

    made = record(build, outputs=cloud_outputs).of_type("s3/bucket:Bucket")
    assert {it.name: it.inputs.get("tags") for it in made} == {
        "storage-models": None,
        "storage-traces": {BACKUP_TAG: "true"},
    }


def test_cold_copies_stay_long_enough_for_cold_storage() -> None:
    config = BackupConfig(retain_days=120, cold_after_days=30)
    assert plan_rule(config, vault="v")["lifecycle"] == {
        "delete_after": 120,
        "cold_storage_after": 30,
    }
    with pytest.raises(ValueError, match=r"retainDays \(119\) must be at least 90 above"):
        BackupConfig(retain_days=119, cold_after_days=30)


def test_only_aws_backup_takes_its_role() -> None:
    (statement,) = trust_policy()["Statement"]
    assert statement["Principal"] == {"Service": "backup.amazonaws.com"}
