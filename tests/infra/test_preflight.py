"""Questions to AWS about quotas, nodes and who asks, answered by moto."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from components.eks_support import SUPPORT_WINDOWS
from inference.instances import instance_table
from infra.preflight.__main__ import main
from infra.preflight.account import admin_role, kubernetes_version, secret_names
from infra.preflight.offers import instance_types, node_images, reservations
from infra.preflight.questions import ask
from infra.preflight.quotas import vcpu_quotas
from infra.preflight.vcpu_quotas import NAMES
from tests.harness.aws_answers import AnsweringSession, RefusedError
from tests.infra.aws_account import (
    account,
    by_subject,
    make_role,
    make_secrets,
    session,
    stack,
    version,
)
from tests.infra.stack_data import platform_data

pytestmark = [pytest.mark.unit, pytest.mark.slow]


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with account(monkeypatch):
        yield


def test_a_prepared_account_answers_everything_with_ok() -> None:
    asked = session()
    make_role(asked)
    missing = [it.subject for it in secret_names(stack(), asked)]
    make_secrets(asked, missing)
    found = ask(stack(), asked)
    today = datetime.now(UTC).date()
    in_support = today < SUPPORT_WINDOWS["1.34"].standard_ends
    bad = {it.check: it.status for it in found if it.status != "ok"}
    assert bad == ({} if in_support else {"Kubernetes version": "failed"})
    assert {it.check for it in found} >= {
        "caller",
        "admin role",
        "vCPU quota",
        "instance types",
        "node images",
        "network quota",
        "secrets",
    }


def test_an_empty_account_is_told_everything_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing = {code.replace("-", "_"): 0.0 for code in NAMES}
    asked = session(**nothing, L_F678F1CE=0, L_0263D0A3=2)
    monkeypatch.setattr("infra.preflight.__main__.AwsSession", lambda **_: asked)
    assert main(["--stack", "prod"]) == 1
    said = capsys.readouterr().out
    for part in (
        "FAIL  admin role",
        "platform-admin: does not exist",
        "FAIL  vCPU quota",
        "modelServers on gpu-inference-pool",
        "5 Pods with 21 GPUs",
        "quotas/L-DB2E81BA",
        "FAIL  network quota",
        "L-0263D0A3 Elastic IPs: 2, 2 left | network needs 3",
        "agentic-platform/session-store-password: not in Secrets Manager",
        "create-secret --name agentic-platform/langfuse-salt",
    ):
        assert part in said
    assert not [name for name, _ in asked.asked if "GetSecretValue" in name]


def test_a_quota_below_the_pools_limit_is_a_warning_while_the_models_fit() -> None:
    asked = session(L_417A185B=288, L_DB2E81BA=0, L_3819A6DF=0, L_7212CCBC=0, L_C4BD4855=0)
    found = by_subject(vcpu_quotas, stack(), asked)
    assert found["L-417A185B Running On-Demand P instances"].status == "warning"
    assert found["modelServers on gpu-inference-pool"].status == "ok"
    asked = session(L_417A185B=287, L_DB2E81BA=0, L_3819A6DF=0, L_7212CCBC=0, L_C4BD4855=0)
    found = by_subject(vcpu_quotas, stack(), asked)
    assert found["modelServers on gpu-inference-pool"].status == "failed"


def test_what_runs_elsewhere_in_the_region_is_taken_off() -> None:
    asked = session(L_1216C47A=210)
    ours = {"Key": "kubernetes.io/cluster/ai-cluster", "Value": "owned"}
    for tag in (ours, {"Key": "Name", "Value": "somebody's"}):
        asked.client("ec2").run_instances(
            ImageId="ami-12c6146b",
            MinCount=1,
            MaxCount=1,
            InstanceType="m5.2xlarge",
            TagSpecifications=[{"ResourceType": "instance", "Tags": [tag]}],
        )
    found = by_subject(vcpu_quotas, stack(), asked)
    line = found["L-1216C47A Running On-Demand Standard instances"]
    assert line.value == "210 vCPU, 202 left"


def test_a_quota_that_nobody_changed_has_the_default_of_aws() -> None:
    def unknown(_: dict[str, Any]) -> dict[str, Any]:
        raise RefusedError("NoSuchResourceException")

    asked = AnsweringSession(
        {
            "service-quotas.GetServiceQuota": unknown,
            "service-quotas.GetAWSDefaultServiceQuota": lambda _: {"Quota": {"Value": 5.0}},
        }
    )
    assert "5 vCPU, 5 left" in {it.value for it in vcpu_quotas(stack(), asked)}


def test_a_type_that_the_table_lacks_is_asked_of_aws() -> None:
    data = platform_data("prod")
    data["cpuPools"]["general-pool"]["instanceTypes"] = ["m5zn.large"]
    assert "m5zn.large" not in instance_table().types
    found = by_subject(vcpu_quotas, stack(data), session())
    line = found["L-1216C47A Running On-Demand Standard instances"]
    assert "general-pool up to 200" in line.allowed


def test_a_type_that_no_zone_of_the_stack_has_is_told() -> None:
    data = platform_data("prod")
    pool = data["cpuPools"]["general-pool"]
    pool["instanceTypes"] = ["m6i.xlarge", "m99.large"]
    found = by_subject(instance_types, stack(data), session())
    assert found["general-pool"].status == "warning"
    assert "nowhere here: m99.large" in found["general-pool"].value
    pool["instanceTypes"] = ["m99.large"]
    assert by_subject(instance_types, stack(data), session())["general-pool"].status == "failed"


def reserved(**changes: Any) -> dict[str, Any]:
    return {
        "CapacityReservationId": "cr-0123456789abcdef0",
        "InstanceType": "p5.48xlarge",
        "AvailabilityZone": "us-west-2a",
        "State": "active",
        "TotalInstanceCount": 4,
        "AvailableInstanceCount": 4,
    } | changes


@pytest.mark.parametrize(
    ("answer", "status", "part"),
    [
        ([reserved()], "ok", ""),
        ([reserved(AvailableInstanceCount=0)], "warning", "in use"),
        ([reserved(State="expired")], "failed", "state 'expired'"),
        (
            [reserved(State="scheduled", StartDate=datetime(2100, 1, 2, tzinfo=UTC))],
            "failed",
            "starts 2100-01-02",
        ),
        ([reserved(AvailabilityZone="us-west-2d")], "failed", "none of the pool's zones"),
        ([reserved(InstanceType="p4d.24xlarge")], "failed", "none of the pool's instanceTypes"),
        ([], "failed", "correct nodeClass.reservations"),
    ],
)
def test_a_reservation_is_there_active_in_the_zone_and_has_instances_left(
    answer: list[dict[str, Any]], status: str, part: str
) -> None:
    data = platform_data("prod")
    pool = data["gpuPools"]["gpu-inference-pool"]
    pool["instanceTypes"] = ["p5.48xlarge"]
    pool["capacityTypes"] = ["reserved", "on-demand"]
    pool["nodeClass"]["reservations"] = [{"id": "cr-0123456789abcdef0"}]

    def reservations_there(_: dict[str, Any]) -> dict[str, Any]:
        if not answer:
            raise RefusedError("InvalidCapacityReservationId.NotFound")
        return {"CapacityReservations": answer}

    asked = AnsweringSession({"ec2.DescribeCapacityReservations": reservations_there})
    (found,) = reservations(stack(data), asked)
    assert found.status == status
    assert part in found.way_out


def test_an_image_that_was_not_published_is_told() -> None:
    def none(_: dict[str, Any]) -> dict[str, Any]:
        raise RefusedError("ParameterNotFound")

    found = [*node_images(stack(), AnsweringSession({"ssm.GetParameter": none}))]
    assert {it.status for it in found} == {"failed"}
    assert "NODE_AMI" in found[0].way_out


def test_a_role_that_does_not_let_the_caller_in_is_told() -> None:
    def refuse(_: dict[str, Any]) -> dict[str, Any]:
        raise RefusedError("AccessDenied")

    asked = AnsweringSession({"sts.AssumeRole": refuse})
    make_role(asked)
    (found,) = admin_role(stack(), asked)
    assert found.status == "failed"
    assert "may not assume it" in found.value


def test_a_version_whose_dates_differ_from_ours_is_told() -> None:
    def later(asked: dict[str, Any]) -> dict[str, Any]:
        found = version(asked)
        found["clusterVersions"][0]["endOfStandardSupportDate"] = datetime(2099, 1, 1, tzinfo=UTC)
        return found

    (line,) = kubernetes_version(stack(), AnsweringSession({"eks.DescribeClusterVersions": later}))
    assert (line.status, line.way_out) == ("warning", "correct components/eks_support.py")
    none = AnsweringSession({"eks.DescribeClusterVersions": lambda _: {"clusterVersions": []}})
    (line,) = kubernetes_version(stack(), none)
    assert line.status == "failed"
