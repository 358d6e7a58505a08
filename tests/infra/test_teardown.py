"""Leftovers of a destroyed cluster: whose they are, in which order they go, what stays.

moto stands for AWS. It lets groups go that others use, so what AWS refuses meanwhile is put in by
the tests; it has no EventBridge targets, identity providers of EKS or Pod ENIs to leave behind.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from infra.aws_session import AwsSession, AwsSessionError
from infra.teardown import deletion
from infra.teardown.__main__ import main
from infra.teardown.leftover import proof
from infra.teardown.scope import names_in_state
from tests.infra.leftover_world import REGION, Remains, make_cluster, network

pytestmark = pytest.mark.unit

OURS, OTHER = "ai-cluster", "other"


@pytest.mark.parametrize(
    ("tags", "is_ours"),
    [
        ({"elbv2.k8s.aws/cluster": OURS}, True),
        ({f"kubernetes.io/cluster/{OURS}": "owned"}, True),
        ({f"kubernetes.io/cluster/{OURS}": "shared"}, False),
        ({f"kubernetes.io/cluster/{OURS}-2": "owned"}, False),
        ({"aws:eks:cluster-name": f"{OURS}-2"}, False),
        ({"eks:eks-cluster-name": OURS, f"kubernetes.io/cluster/{OTHER}": "owned"}, False),
        ({"karpenter.sh/discovery": OURS, "ebs.csi.aws.com/cluster": "true"}, False),
        ({}, False),
    ],
)
def test_only_the_exact_tag_of_a_cluster_says_whose_a_thing_is(
    tags: dict[str, str],
    is_ours: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    assert bool(proof(tags, OURS)) == is_ours


def test_what_a_state_names_anywhere_in_its_outputs_is_no_leftover() -> None:
    outputs = {"vpcConfig": {"clusterSecurityGroupId": "sg-0123456789abcdef0", "name": "x y"}}
    resources = [{"id": "ai-cluster", "outputs": outputs}, {"urn": "urn:no-id"}]
    found = names_in_state({"deployment": {"resources": resources}})
    assert found == {"ai-cluster", "sg-0123456789abcdef0"}


class World:
    """Both clusters' remains, and the command that looks for ours."""

    def __init__(self, folder: Path) -> None:
        self.session = AwsSession(region=REGION)
        self.network = network(self.session)
        self.ours = Remains(self.session, OURS, self.network).leave()
        self.other = Remains(self.session, OTHER, self.network).leave()
        self.state = folder / "state.json"
        self.knows()

    def knows(self, *ids: str) -> None:
        resources = [{"id": each} for each in ids]
        self.state.write_text(json.dumps({"deployment": {"resources": resources}}))

    def run(self, *more: str, typed: str = "") -> int:
        return main(["--stack", "dev", "--state", str(self.state), *more], ask=lambda _: typed)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[World]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setattr(deletion, "PAUSE_SECONDS", 0.0)
    with mock_aws():
        yield World(tmp_path)


def listed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.slow
def test_ours_goes_in_order_and_what_is_anothers_or_data_stays(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = world.session.client("kms").create_key(
        Tags=[
            {"TagKey": "Project", "TagValue": "agentic-platform"},
            {"TagKey": "Environment", "TagValue": "development"},
            {"TagKey": "CostCenter", "TagValue": "ai-platform"},
        ]
    )["KeyMetadata"]["Arn"]
    assert world.run("--json") == 1
    before = listed(capsys)
    fates = {it["id"]: it["fate"] for it in before["leftovers"]}
    ours = set(world.ours.ids.values())
    assert set(fates) == ours | {key}
    assert {fates[world.ours.ids["snapshot"]], fates[key]} == {"kept"}
    assert before["knownMonthlyUsd"] > 1000

    asked = _noting(monkeypatch)
    refusals = _refusing(monkeypatch, "DeleteSecurityGroup", 2)
    assert world.run("--json", "--delete", "--yes") == 0
    after = listed(capsys)
    assert after["failed"] == {}
    assert {it["id"] for it in after["leftovers"]} == {world.ours.ids["snapshot"], key}
    assert refusals == ["DependencyViolation"] * 2
    for first, then in HELD_BY:
        assert max(_places(asked, first)) < min(_places(asked, then)), (first, then)

    assert world.run() == 0
    assert "0 left; 2 kept on purpose" in capsys.readouterr().out
    _all_of_the_other_is_there(world)


HELD_BY = (
    ("TerminateInstances", "DeleteVolume"),
    ("TerminateInstances", "DeleteNetworkInterface"),
    ("DeleteLoadBalancer", "DeleteTargetGroup"),
    ("DeleteNetworkInterface", "DeleteSecurityGroup"),
    ("RevokeSecurityGroupIngress", "DeleteSecurityGroup"),
)
"""What has to be done before what AWS would refuse else."""


def _places(asked: list[str], operation: str) -> list[int]:
    return [place for place, each in enumerate(asked) if each == operation]


def _noting(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every operation that AWS is asked for from here on, in order."""
    asked: list[str] = []
    make = AwsSession.client

    def note(model: Any, **_: Any) -> None:
        asked.append(model.name)

    def client(self: AwsSession, name: str) -> Any:
        made = make(self, name)
        made.meta.events.register(f"before-call.{name}.*", note, unique_id="note")
        made.meta.events.register("before-call.elastic-load-balancing-v2.*", note, unique_id="lb")
        return made

    monkeypatch.setattr(AwsSession, "client", client)
    return asked


def _refusing(monkeypatch: pytest.MonkeyPatch, operation: str, times: int) -> list[str]:
    """AWS's answer while an interface is still being let go."""
    said: list[str] = []

    def refuse(**_: Any) -> None:
        if len(said) < times:
            said.append("DependencyViolation")
            raise ClientError({"Error": {"Code": said[-1], "Message": "in use"}}, operation)

    make = AwsSession.client

    def client(self: AwsSession, name: str) -> Any:
        made = make(self, name)
        event = f"before-parameter-build.{name}.{operation}"
        made.meta.events.register(event, refuse, unique_id=operation)
        return made

    monkeypatch.setattr(AwsSession, "client", client)
    return said


def _all_of_the_other_is_there(world: World) -> None:
    ids, session = world.other.ids, world.session
    ec2 = session.client("ec2")
    groups = ec2.describe_security_groups(GroupIds=[ids["front"], ids["back"]])["SecurityGroups"]
    assert all(it["IpPermissions"] for it in groups)
    (found,) = ec2.describe_instances(InstanceIds=[ids["instance"]])["Reservations"]
    assert found["Instances"][0]["State"]["Name"] == "running"
    assert ec2.describe_volumes(VolumeIds=[ids["volume"]])["Volumes"]
    assert session.client("iam").get_instance_profile(InstanceProfileName=ids["profile"])
    arns = [ids["balancer"]]
    assert session.client("elbv2").describe_load_balancers(LoadBalancerArns=arns)["LoadBalancers"]


@pytest.mark.slow
def test_what_can_not_be_deleted_is_said_and_fails_the_inventory(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _refusing(monkeypatch, "DeleteSecurityGroup", 10**6)
    assert world.run("--json", "--delete", typed="dev") == 1
    found = listed(capsys)
    groups = {world.ours.ids["front"], world.ours.ids["back"]}
    assert set(found["failed"]) == groups
    assert {it["id"] for it in found["leftovers"] if it["fate"] == "delete"} == groups
    assert not found["clean"]

    world.knows(*groups)
    assert world.run() == 0


@pytest.mark.slow
def test_nothing_is_deleted_while_the_cluster_is_there_or_without_the_stacks_name(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert world.run("--delete", typed="prod") == 1
    assert "that is not its name: nothing was deleted" in capsys.readouterr().err
    make_cluster(world.session, OURS, world.network["subnet"])
    assert world.run("--delete", "--yes") == 1
    assert "cluster 'ai-cluster' is still there" in capsys.readouterr().err
    ec2 = world.session.client("ec2")
    assert ec2.describe_volumes(VolumeIds=[world.ours.ids["volume"]])["Volumes"]


def test_who_can_not_ask_is_told_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    state = tmp_path / "state.json"
    state.write_text("no json")
    assert main(["--stack", "dev", "--state", str(state)]) == 2
    assert main(["--stack", "local", "--state", str(state)]) == 2
    assert main(["--stack", "nowhere"]) == 2
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["--stack", "dev"]) == 2
    state.write_text("{}")
    monkeypatch.setattr(AwsSession, "caller", _no_credentials)
    assert main(["--stack", "dev", "--state", str(state)]) == 2
    lines = capsys.readouterr().err.splitlines()
    expected = [
        "the state is no JSON",
        "makes no EKS cluster",
        "can't read",
        "not on PATH",
        "nobody",
    ]
    assert len(lines) == len(expected)
    assert all(part in line for part, line in zip(expected, lines, strict=True))


def _no_credentials(_: AwsSession) -> dict[str, str]:
    raise AwsSessionError("nobody asks")
