"""What AWS would answer, for programs that run against the SDK's mock monitor."""

import json
from typing import Any

ACCOUNT = "111122223333"
CALLER = {
    "aws:index/getCallerIdentity:getCallerIdentity": {"accountId": ACCOUNT},
    "aws:ecr/getAuthorizationToken:getAuthorizationToken": {
        "proxyEndpoint": f"https://{ACCOUNT}.dkr.ecr.us-west-2.amazonaws.com",
        "userName": "AWS",
        "password": "a registry's password",
    },
}
ENDPOINT = "https://eks.example"
CERTIFICATE_AUTHORITY = "QUFBQQ=="


def cloud_outputs(kind: str, name: str) -> dict[str, Any]:
    """The computed outputs that this program reads, recognizable by the resource's name."""
    if kind == "eks:index:Cluster":
        cluster = {"server": ENDPOINT, "certificate-authority-data": CERTIFICATE_AUTHORITY}
        return {
            "kubeconfigJson": json.dumps({"clusters": [{"cluster": cluster}]}),
            "clusterSecurityGroupId": "sg-eks",
        }
    found: dict[str, Any] = {"arn": f"arn:aws:{kind}:::{name}", "name": name}
    if kind == "aws:ecr/repository:Repository":
        found["repositoryUrl"] = f"{ACCOUNT}.dkr.ecr.us-west-2.amazonaws.com/{name}"
    if kind == "docker-build:index:Image":
        found["ref"] = f"{ACCOUNT}.dkr.ecr.us-west-2.amazonaws.com/{name}:built@sha256:recorded"
    if kind == "aws:s3/bucket:Bucket":
        found["bucket"] = f"{name}-bucket"
    if kind == "aws:sqs/queue:Queue":
        found["url"] = f"https://sqs.example/{name}"
    return found
