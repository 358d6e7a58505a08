"""The recording stand-in on the real engine: outputs, unknowns, replacement, components."""

import json
import re
from typing import Any

import pytest

from tests.harness.api_server import ApiServer
from tests.harness.engine import Project, config_map

pytestmark = pytest.mark.engine

AWS = {"aws": {"region": "eu-west-1", "allowedAccountIds": '["111122223333"]'}}


def aws(kind: str, name: str, properties: dict[str, Any], *outputs: str) -> dict[str, Any]:
    return {
        "type": f"aws:{kind}",
        "name": name,
        "properties": properties,
        "outputs": [*outputs],
    }


def test_cloud_resources_get_plausible_outputs_that_stay(cloud_project: Project) -> None:
    project = cloud_project
    vpc = aws("ec2/vpc:Vpc", "net", {"cidrBlock": "10.0.0.0/16"}, "arn")
    subnet = {"vpcId": "${net.id}", "cidrBlock": "10.0.0.0/20"}
    role = aws("iam/role:Role", "reader", {"assumeRolePolicy": "{}"}, "arn", "name")
    policy = {"role": "${reader.name}", "policyArn": "${reader.arn}"}
    attachment = aws("iam/rolePolicyAttachment:RolePolicyAttachment", "read", policy)
    project.resources(vpc, aws("ec2/subnet:Subnet", "a", subnet), role, attachment, providers=AWS)
    planned = project.preview()
    assert planned.ok, planned.errors
    assert any(n.startswith("aws: stand-in, not the Pulumi plugin") for n in planned.notices)

    project.up()
    net, a = project.recorded("net"), project.recorded("a")
    assert re.fullmatch(r"vpc-[0-9a-f]{17}", net["id"])
    assert net["outputs"]["arn"] == f"arn:aws:ec2:eu-west-1:111122223333:vpc/{net['id']}"
    assert a["inputs"]["vpcId"] == net["id"]
    reader = project.recorded("reader")["outputs"]
    assert re.fullmatch(r"reader-[0-9a-f]{7}", reader["name"])
    assert reader["arn"] == f"arn:aws:iam::111122223333:role/{reader['name']}"
    assert project.preview("--refresh").changed == 0

    subnet["cidrBlock"] = "10.0.16.0/20"
    vpc["properties"]["tags"] = {"team": "a"}
    project.resources(vpc, aws("ec2/subnet:Subnet", "a", subnet), role, attachment, providers=AWS)
    planned = project.preview()
    assert planned.changes == {"update": 1, "replace": 1, "same": 4}
    project.destroy()
    assert project.exported().get("resources", []) == []


def test_computed_outputs_are_unknown_in_a_preview_unless_asked_for(
    project: Project, namespace: str
) -> None:
    bucket = aws("s3/bucket:Bucket", "data", {}, "arn", "bucket")
    user = config_map("user", namespace, {"arn": "${data.arn}"})
    project.resources(bucket, user, providers=AWS)
    report = project.root / "report"
    settings = {"AGENTIC_STANDIN_REPORT": str(report)}
    project.preview(AGENTIC_STANDIN_PREVIEW="unknown", **settings)
    assert json.loads(report.read_text())["verdict"] == "unknown-values"
    report.unlink()
    result = project.preview(AGENTIC_STANDIN_PREVIEW="known", **settings)
    assert json.loads(report.read_text())["verdict"] == "checked"
    assert any("previews know values that a real one can't" in n for n in result.notices)


def test_an_eks_cluster_is_constructed_and_its_objects_go_to_the_named_api_server(
    project: Project, api_server: ApiServer, namespace: str
) -> None:
    key = "arn:aws:kms:eu-west-1:111122223333:key/1"
    cluster = {
        "type": "eks:index:Cluster",
        "name": "main",
        "remote": True,
        "properties": {"name": "ai", "encryptionConfigKeyArn": key},
        "outputs": ["kubeconfigJson", "clusterSecurityGroupId", "eksCluster"],
    }
    settings = config_map("settings", namespace, {"a": "1"})
    in_cluster = {"kubeconfig": "${main.kubeconfigJson}", "clusterIdentifier": "ai"}
    providers = AWS | {"eks": {}, "kubernetes": in_cluster}
    project.resources(cluster, settings, providers=providers)
    unknown = project.preview(AGENTIC_STANDIN_PREVIEW="unknown")
    assert unknown.ok, unknown.errors
    project.up()
    control_plane = project.recorded("main-eksCluster")
    assert control_plane["parent"].endswith("::main")
    assert control_plane["outputs"]["endpoint"].endswith(".gr7.eu-west-1.eks.recorded.invalid")
    assert control_plane["inputs"]["encryptionConfig"]["provider"]["keyArn"] == key
    assert api_server.client.get("v1", "ConfigMap", "settings", namespace)["data"] == {"a": "1"}
    assert project.preview("--refresh").changed == 0
    project.destroy()


def test_data_sources_are_answered_and_an_unknown_one_is_named(cloud_project: Project) -> None:
    project = cloud_project
    statement = {"actions": ["s3:GetObject"], "resources": ["*"], "effect": "Allow"}
    calls = {
        "caller": {"token": "aws:index/getCallerIdentity:getCallerIdentity", "arguments": {}},
        "policy": {
            "token": "aws:iam/getPolicyDocument:getPolicyDocument",
            "arguments": {"statements": [statement]},
        },
    }
    bucket = aws("s3/bucket:Bucket", "data", {"tags": {"owner": "${call.caller.accountId}"}})
    project.resources(bucket, providers=AWS, calls=calls)
    project.up()
    assert project.recorded("data")["inputs"]["tags"] == {"owner": "111122223333"}

    calls["nobody"] = {"token": "aws:braket/getDevice:getDevice", "arguments": {}}
    project.resources(bucket, providers=AWS, calls=calls)
    assert "aws:braket/getDevice:getDevice: the recording stand-in has no answer" in (
        project.refused()
    )
