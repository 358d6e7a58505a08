"""What a stack needs of quotas, what an answer looks like, and what is no answer."""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from inference.instances import instance_table
from infra.aws_session import AwsSession, AwsSessionError
from infra.config import CHECKOUT, PlatformConfig, parse
from infra.preflight import questions
from infra.preflight.__main__ import main
from infra.preflight.finding import Finding
from infra.preflight.need import model_pods, most_vcpus
from infra.preflight.offers import image_parameter
from infra.preflight.report import json_text, text
from infra.preflight.vcpu_quotas import NAMES, Offer, Purchase, nodes_for, quota_code
from infra.stack_file import Stack, StackFileError, read_stack
from tests.infra.stack_data import platform_data, stack_text

pytestmark = pytest.mark.unit

REGION = "us-west-2"


@pytest.fixture(scope="module")
def prod() -> Stack:
    return Stack("prod", REGION, parse(platform_data("prod"), PlatformConfig, region=REGION))


@pytest.mark.parametrize(
    ("instance_type", "purchase", "code"),
    [
        ("m6i.large", "on-demand", "L-1216C47A"),
        ("im4gn.large", "spot", "L-34B43A08"),
        ("g6e.12xlarge", "on-demand", "L-DB2E81BA"),
        ("gr6.4xlarge", "spot", "L-3819A6DF"),
        ("p4d.24xlarge", "spot", "L-7212CCBC"),
        ("p5en.48xlarge", "on-demand", "L-417A185B"),
        ("p5.48xlarge", "spot", "L-C4BD4855"),
        ("inf2.xlarge", "on-demand", "L-1945791B"),
        ("trn2.48xlarge", "on-demand", "L-2C3B7624"),
        ("x2gd.large", "on-demand", "L-7295265B"),
        ("u-6tb1.metal", "on-demand", None),
    ],
)
def test_a_type_counts_against_the_quota_of_its_family(
    instance_type: str, purchase: Purchase, code: str | None
) -> None:
    assert quota_code(instance_type, purchase) == code
    assert code is None or code in NAMES


def test_every_type_of_our_table_has_a_quota() -> None:
    assert [it for it in instance_table().types if quota_code(it, "on-demand") is None] == []


def test_a_pool_buys_as_many_vcpus_as_its_limit_in_gpus_gives(prod: Stack) -> None:
    most = most_vcpus(prod.pools["gpu-inference-pool"], instance_table().types)
    assert most["L-DB2E81BA"] == 64 // 8 * 192
    assert most["L-417A185B"] == 64 // 8 * 192
    assert most["L-7212CCBC"] == 64 // 8 * 96
    assert set(most) == {"L-DB2E81BA", "L-417A185B", "L-3819A6DF", "L-7212CCBC", "L-C4BD4855"}


def test_a_pool_with_a_limit_in_cores_buys_no_more(prod: Stack) -> None:
    most = most_vcpus(prod.pools["general-pool"], instance_table().types)
    assert most == {"L-1216C47A": 200, "L-34B43A08": 200}


def test_each_model_server_is_counted_at_its_fewest(prod: Stack) -> None:
    pods = model_pods(prod)["gpu-inference-pool"]
    assert sorted(gpus for _, gpus in pods) == [1, 4, 4, 4, 8]


def test_pods_are_packed_into_the_nodes_that_quotas_allow() -> None:
    p4d = Offer("p", "p4d.24xlarge", 96, 8)
    g5 = Offer("g", "g5.48xlarge", 192, 8)
    pods = [8, 4, 4, 4, 1]
    assert nodes_for(pods, [p4d, g5], {"p": 288, "g": 0}) == [p4d] * 3
    assert nodes_for(pods, [p4d, g5], {"p": 192, "g": 192}) == [p4d, p4d, g5]
    assert nodes_for(pods, [p4d, g5], {"p": 192, "g": 191}) == []
    assert nodes_for([16], [p4d], {"p": 10_000}) == []


def test_an_image_is_looked_for_where_karpenter_looks(prod: Stack) -> None:
    pool = prod.pools["gpu-inference-pool"]
    base = "/aws/service/eks/optimized-ami/1.34/amazon-linux-2023/x86_64/nvidia"
    pinned = image_parameter("al2023@v20260903", pool, "nvidia", "1.34")
    name = "amazon-eks-node-al2023-x86_64-nvidia-1.34-v20260903"
    assert pinned == f"{base}/{name}/image_id"
    latest = image_parameter("al2023@latest", pool, "nvidia", "1.34")
    assert latest == f"{base}/recommended/image_id"


def test_a_question_that_may_not_be_asked_takes_no_other_with_it(
    prod: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    fine = Finding("keys", "k", "ok", "Enabled")

    def denied(_: Stack, __: AwsSession) -> Any:
        yield fine
        refusal = {"Error": {"Code": "AccessDeniedException", "Message": "no"}}
        raise ClientError(refusal, "DescribeKey")

    monkeypatch.setattr(questions, "QUESTIONS", {"keys": denied, "more": lambda *_: [fine]})
    monkeypatch.setattr(AwsSession, "caller", lambda _: {"Account": "1", "Arn": "arn:x"})
    found = questions.ask(prod, AwsSession(region=REGION))
    assert [it.status for it in found] == ["ok", "ok", "unknown", "ok"]
    assert "may not DescribeKey" in found[2].way_out


def test_nobody_to_ask_as_is_one_line_and_exit_two(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nobody(_: AwsSession) -> dict[str, str]:
        raise AwsSessionError("no valid AWS credentials")

    monkeypatch.setattr(AwsSession, "caller", nobody)
    assert main(["--stack", "prod"]) == 2
    assert capsys.readouterr().err == "no valid AWS credentials\n"


def test_a_stack_without_anything_on_aws_has_nothing_to_ask(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("local", "tenant-a"):
        assert main(["--stack", name]) == 0
        assert "nothing on AWS" in capsys.readouterr().out


def test_a_foundation_and_the_platform_on_it_are_asked_about_apart() -> None:
    files = {
        name: CHECKOUT / f"docs/examples/split/Pulumi.{name}.yaml"
        for name in ("prod-foundation", "prod-platform")
    }
    found = {name: read_stack(name, file=file) for name, file in files.items()}
    foundation, platform = found["prod-foundation"], found["prod-platform"]
    assert foundation is not None
    assert platform is not None
    assert (foundation.cluster_name, foundation.platform) == ("ai-cluster", None)
    assert "gpu-inference-pool" in foundation.pools
    assert not platform.pools
    assert (platform.eks, platform.region) == (None, "us-west-2")


def test_an_unknown_or_broken_stack_file_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--stack", "nope"]) == 2
    assert "allowed: dev, local, prod" in capsys.readouterr().err
    broken = tmp_path / "Pulumi.x.yaml"
    broken.write_text(stack_text(platform_data("prod") | {"protect": "perhaps"}))
    with pytest.raises(StackFileError, match=r"protect: got 'perhaps'"):
        read_stack("x", file=broken)
    broken.write_text("config: {}\n")
    with pytest.raises(StackFileError, match="got no 'agentic-platform:platform'"):
        read_stack("x", file=broken)


def test_findings_are_told_with_value_need_and_way_out() -> None:
    findings = [
        Finding("vCPU quota", "L-1", "failed", "0 vCPU", "21 GPUs", "raise it: https://x"),
        Finding("keys", "k", "unknown", "not answered", "", "the caller may not DescribeKey"),
    ]
    lines = text("prod", findings).splitlines()
    assert lines[0] == "FAIL  vCPU quota  L-1: 0 vCPU | 21 GPUs"
    assert lines[1].strip() == "→ raise it: https://x"
    assert lines[-1] == "stack prod: 1 failed, 1 not answered"
    record = json.loads(json_text("prod", findings))
    assert record["ok"] is False
    assert record["findings"][0]["way_out"] == "raise it: https://x"
