"""Every IAM policy that prod and prod in Auto Mode write: nothing wider than AWS makes it."""

import importlib
import inspect
import json
from collections.abc import Iterator
from typing import Any

import pytest

from infra.policies.rules.iam import unexplained, wide_actions
from infra.policies.rules.taggable import TAGGABLE
from tests.infra.platforms import AUTO_MODE, built

pytestmark = pytest.mark.unit

STACKS = ("prod", AUTO_MODE)
MANAGED = {
    "AWSBackupServiceRolePolicyForBackup": "follows the resource types that AWS Backup learns",
    "AWSBackupServiceRolePolicyForRestores": "the same",
    "AWSBackupServiceRolePolicyForS3Backup": "the same",
    "AWSBackupServiceRolePolicyForS3Restore": "the same",
    "AmazonEC2ContainerRegistryPullOnly": "nodes pull; AWS keeps it as narrow as that",
    "AmazonEBSCSIDriverPolicy": "AWS's own add-on, whose calls change with its version",
    "AmazonEKSBlockStoragePolicy": "AWS's own controllers in Auto Mode",
    "AmazonEKSClusterPolicy": "the same",
    "AmazonEKSComputePolicy": "the same",
    "AmazonEKSLoadBalancingPolicy": "the same",
    "AmazonEKSNetworkingPolicy": "the same",
    "AmazonEKSWorkerNodeMinimalPolicy": "a node of Auto Mode takes no narrower one",
    "AmazonEKSWorkerNodePolicy": "a node takes no narrower one",
    "AmazonEKS_CNI_Policy": "AWS's own add-on, whose calls change with its version",
    "AmazonSSMManagedInstanceCore": "nodes are reached without SSH",
}
"""AWS's own policies that are attached, and why none of ours would do."""


def policies(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for it in built(name).of_type("iam/rolePolicy:RolePolicy"):
        for statement in json.loads(it.inputs["policy"])["Statement"]:
            yield it.name, statement


@pytest.mark.parametrize("name", STACKS)
def test_no_policy_of_ours_has_a_wildcard_action(name: str) -> None:
    wide = [(who, wide_actions(it)) for who, it in policies(name) if wide_actions(it)]
    assert wide == []


@pytest.mark.parametrize("name", STACKS)
def test_a_statement_over_every_resource_says_that_aws_takes_none_narrower(name: str) -> None:
    assert [who for who, statement in policies(name) if unexplained(statement)] == []


@pytest.mark.parametrize("name", STACKS)
def test_aws_own_policies_are_attached_only_for_a_written_reason(name: str) -> None:
    arns = [it.inputs["policyArn"] for it in built(name).of_type(":RolePolicyAttachment")]
    assert {arn.rsplit("/", 1)[1] for arn in arns} <= MANAGED.keys()


@pytest.mark.parametrize("name", STACKS)
def test_every_role_names_who_may_take_it(name: str) -> None:
    for role in built(name).of_type("iam/role:Role"):
        for statement in json.loads(role.inputs["assumeRolePolicy"])["Statement"]:
            assert set(statement["Principal"]) == {"Service"}, role.name
            if statement["Principal"]["Service"] == "pods.eks.amazonaws.com":
                asks = statement["Condition"]["StringEquals"]
                assert len(asks) == 3, "cluster, namespace and service account"


@pytest.mark.parametrize("name", STACKS)
def test_the_kinds_that_take_tags_are_those_of_the_sdk(name: str) -> None:
    for type_ in {it.type for it in built(name).resources if it.type.startswith("aws:")}:
        _, module, kind = type_.split(":")
        found = getattr(importlib.import_module(f"pulumi_aws.{module.split('/')[0]}"), kind)
        takes = "tags" in inspect.signature(found._internal_init).parameters
        assert takes == (type_ in TAGGABLE), type_
