"""Questions to AWS about what a stack brings or needs beside nodes, answered by moto."""

from collections.abc import Iterator

import pytest

from infra.preflight.account import encryption_keys, secret_names
from infra.preflight.addresses import existing_network, network_quotas
from tests.infra.aws_account import account, by_subject, make_secrets, session, stack
from tests.infra.stack_data import platform_data

pytestmark = [pytest.mark.unit, pytest.mark.slow]


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with account(monkeypatch):
        yield


def test_credentials_of_caches_are_looked_for_by_name() -> None:
    data = platform_data("prod")
    entry = "ecr-pullthroughcache/docker-hub"
    data["imageRegistry"]["pullThrough"]["upstreams"]["docker.io"] = {"credentials": entry}
    asked = session()
    found = by_subject(secret_names, stack(data), asked)
    assert found[entry].status == "failed"
    make_secrets(asked, [entry])
    assert entry not in by_subject(secret_names, stack(data), asked)


def test_the_network_of_a_cluster_that_is_there_is_not_asked_for_again() -> None:
    asked = session(L_F678F1CE=0)
    assert by_subject(network_quotas, stack(), asked)["L-F678F1CE VPCs"].status == "failed"
    asked.client("eks").create_cluster(
        name="ai-cluster", roleArn="arn:aws:iam::123456789012:role/x", resourcesVpcConfig={}
    )
    assert [*network_quotas(stack(), asked)] == []


def test_keys_that_the_stack_brings_must_be_enabled() -> None:
    asked = session()
    kms = asked.client("kms")
    keys = [kms.create_key()["KeyMetadata"] for _ in range(2)]
    kms.disable_key(KeyId=keys[1]["KeyId"])
    data = platform_data("prod")
    data["encryption"]["existingKeys"] = {"cluster": keys[0]["Arn"], "storage": keys[1]["Arn"]}
    found = by_subject(encryption_keys, stack(data), asked)
    assert found["encryption.existingKeys.cluster"].status == "ok"
    disabled = found["encryption.existingKeys.storage"]
    assert (disabled.status, disabled.value) == ("failed", "Disabled, SYMMETRIC_DEFAULT")


def test_a_network_that_the_stack_brings_must_be_what_the_file_says() -> None:
    asked = session()
    ec2 = asked.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.10.0.0/16")["Vpc"]["VpcId"]
    subnets = {
        zone: ec2.create_subnet(
            VpcId=vpc, CidrBlock=f"10.10.{index}.0/24", AvailabilityZone=f"us-west-2{zone}"
        )["Subnet"]["SubnetId"]
        for index, zone in enumerate("ab")
    }
    data = platform_data("prod") | {
        "network": None,
        "existingNetwork": {
            "vpcId": vpc,
            "cidr": "10.10.0.0/16",
            "privateSubnets": {"us-west-2a": subnets["a"], "us-west-2c": subnets["b"]},
            "publicSubnets": {},
            "tagSubnets": False,
        },
    }
    found = by_subject(existing_network, stack(data), asked)
    assert found["existingNetwork.privateSubnets.us-west-2c"].value.endswith("in us-west-2b")
    assert "karpenter.sh/discovery" in found["existingNetwork.privateSubnets.us-west-2a"].value
    assert found["enableDnsHostnames"].status == "failed"
    data["existingNetwork"]["vpcId"] = "vpc-0123456789abcdef9"
    (line,) = existing_network(stack(data), asked)
    assert line.way_out == "correct existingNetwork.vpcId"
