"""For each rule of the policy pack: resources that break it and others that keep it.

Entries are those of the tiny program (tests/harness/program), so the same ones go through the pure
rules and through the real engine.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

TAGS = {"Project": "agentic-platform", "Environment": "test"}
STACK_FILE: dict[str, Any] = {
    "protect": True,
    "imageMirror": "harbor.corp/images",
    "gateway": {"public": False},
    "secrets": {"source": "externalSecrets"},
}
"""What the stack of these resources says of itself."""
MIRRORED = "harbor.corp/images/docker.io/library/redis:8.2.1"


class Case(NamedTuple):
    """One rule; `says` is in the line about what breaks it."""

    rule: str
    bad: tuple[dict[str, Any], ...]
    good: tuple[dict[str, Any], ...]
    says: str


def aws(kind: str, name: str, /, **properties: Any) -> dict[str, Any]:
    tags = {"tags": TAGS} if properties.pop("tagged", True) else {}
    return {"type": f"aws:{kind}", "name": name, "properties": properties | tags}


def kubernetes(kind: str, name: str, /, **body: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "ai-agents"} | body.pop("metadata", {})
    return {
        "type": f"kubernetes:{kind}",
        "name": name,
        "properties": {"metadata": metadata, **body},
    }


def pod(name: str, *, spec: Mapping[str, Any] | None = None, **container: Any) -> dict[str, Any]:
    resources = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}}
    one = {"name": "c", "image": MIRRORED, "resources": resources} | container
    return kubernetes("core/v1:Pod", name, spec={"containers": [one], **(spec or {})})


def policy(name: str, *statements: Mapping[str, Any]) -> dict[str, Any]:
    text = json.dumps({"Version": "2012-10-17", "Statement": statements})
    return aws("iam/rolePolicy:RolePolicy", name, tagged=False, role="r", policy=text)


def statement(sid: str, action: str, resource: str) -> dict[str, str]:
    return {"Sid": sid, "Effect": "Allow", "Action": action, "Resource": resource}


BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
KMS = {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms"}}
TLS_ONLY = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}


def bucket(name: str, **other: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """A bucket with what belongs beside it; `other` are kinds with other properties, or none."""
    beside: dict[str, Mapping[str, Any]] = {
        "BucketVersioning": {"versioningConfiguration": {"status": "Enabled"}},
        "BucketServerSideEncryptionConfiguration": {"rules": [KMS]},
        "BucketPublicAccessBlock": dict.fromkeys(BLOCKS, True),
        "BucketPolicy": {"policy": json.dumps({"Statement": [TLS_ONLY]})},
    }
    beside |= other
    made = [aws("s3/bucket:Bucket", name, bucket=name) | {"protect": True, "outputs": ["bucket"]}]
    for kind, properties in beside.items():
        if properties:
            path = f"s3/{kind[0].lower()}{kind[1:]}:{kind}"
            of = {"bucket": f"${{{name}.bucket}}"}
            made.append(aws(path, f"{name}-{kind}", tagged=False, **of, **properties))
    return tuple(made)


def cluster(name: str, /, **other: Any) -> dict[str, Any]:
    properties = {
        "name": name,
        "accessConfig": {"authenticationMode": "API"},
        "vpcConfig": {"endpointPrivateAccess": True, "endpointPublicAccess": False},
        "encryptionConfig": {"provider": {"keyArn": "arn:aws:kms:x"}, "resources": ["secrets"]},
        "enabledClusterLogTypes": ["api", "audit", "authenticator"],
    }
    return aws("eks/cluster:Cluster", name, **(properties | other))


def group(name: str, *ranges: str) -> dict[str, Any]:
    door = {"fromPort": 443, "toPort": 443, "protocol": "tcp", "cidrBlocks": list(ranges)}
    return aws("ec2/securityGroup:SecurityGroup", name, ingress=[door])


def repository(name: str, /, **other: Any) -> dict[str, Any]:
    properties = {
        "name": name,
        "imageTagMutability": "IMMUTABLE",
        "imageScanningConfiguration": {"scanOnPush": True},
    }
    made = aws("ecr/repository:Repository", name, **(properties | other))
    return made | {"protect": True}


def key(name: str, *, rotates: bool = True, protect: bool = True) -> dict[str, Any]:
    return aws("kms/key:Key", name, enableKeyRotation=rotates) | {"protect": protect}


def service(name: str, /, *, annotations: Any = None, **spec: Any) -> dict[str, Any]:
    body = {"type": "LoadBalancer", "ports": [{"port": 80}], "selector": {"a": "b"}}
    metadata = {"annotations": annotations} if annotations else {}
    return kubernetes("core/v1:Service", name, metadata=metadata, spec=body | spec)


def release(name: str, version: str) -> dict[str, Any]:
    properties = {"chart": "oci://harbor.corp/charts/x", "version": version}
    return {"type": "kubernetes:helm.sh/v3:Release", "name": name, "properties": properties}


def volume(name: str, *, encrypted: bool) -> dict[str, Any]:
    made = aws("ebs/volume:Volume", name, availabilityZone="a", encrypted=encrypted)
    return made | {"protect": True}


GOOD_BUCKET = bucket("bucket-good")
ELSEWHERE = "ghcr.io/someone/something:1.2.3"
PUBLIC = {"endpointPrivateAccess": True, "endpointPublicAccess": True}
OUTSIDE = {**PUBLIC, "publicAccessCidrs": ["203.0.113.0/24"]}
EVERYBODY = {**PUBLIC, "publicAccessCidrs": ["0.0.0.0/0"]}
INTERNAL = {"service.beta.kubernetes.io/aws-load-balancer-scheme": "internal"}

CASES = (
    Case(
        "iam-actions",
        (policy("actions-bad", statement("All", "s3:*", "arn:aws:s3:::b")),),
        (policy("actions-good", statement("Read", "s3:GetObject", "arn:aws:s3:::b/*")),),
        "'All' allows 's3:*'",
    ),
    Case(
        "iam-resources",
        (policy("resources-bad", statement("See", "ec2:DescribeSubnets", "*")),),
        (policy("resources-good", statement("SeeWhichTakesNoResource", "ec2:DescribeVpcs", "*")),),
        "'See' is over every resource",
    ),
    Case(
        "s3-encryption",
        bucket(
            "encryption-bad",
            BucketServerSideEncryptionConfiguration={
                "rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]
            },
        ),
        GOOD_BUCKET,
        "sseAlgorithm is 'AES256'",
    ),
    Case(
        "s3-versioning",
        bucket("versioning-bad", BucketVersioning={}),
        GOOD_BUCKET,
        "has no BucketVersioning",
    ),
    Case(
        "s3-public-access",
        bucket("access-bad", BucketPublicAccessBlock={"blockPublicAcls": True}),
        GOOD_BUCKET,
        "ignorePublicAcls",
    ),
    Case(
        "s3-tls",
        bucket("tls-bad", BucketPolicy={"policy": json.dumps({"Statement": []})}),
        GOOD_BUCKET,
        "without TLS",
    ),
    Case(
        "kms-rotation",
        (key("rotation-bad", rotates=False),),
        (key("rotation-good"),),
        "enableKeyRotation is False",
    ),
    Case(
        "eks-authentication",
        (cluster("mode-bad", accessConfig={"authenticationMode": "API_AND_CONFIG_MAP"}),),
        (cluster("mode-good"),),
        "authenticationMode is 'API_AND_CONFIG_MAP'",
    ),
    Case(
        "eks-private-endpoint",
        (cluster("private-bad", vpcConfig=OUTSIDE | {"endpointPrivateAccess": False}),),
        (cluster("private-good", vpcConfig=OUTSIDE),),
        "endpointPrivateAccess is False",
    ),
    Case(
        "eks-public-endpoint",
        (cluster("public-bad", vpcConfig=EVERYBODY),),
        (cluster("public-good", vpcConfig=OUTSIDE),),
        "publicAccessCidrs has 0.0.0.0/0",
    ),
    Case(
        "eks-secret-encryption",
        (cluster("clear-bad", encryptionConfig=None),),
        (cluster("clear-good"),),
        "names no key",
    ),
    Case(
        "eks-logs",
        (cluster("logs-bad", enabledClusterLogTypes=["api"]),),
        (cluster("logs-good"),),
        "lacks audit, authenticator",
    ),
    Case(
        "security-group",
        (group("group-bad", "10.0.0.0/8", "0.0.0.0/0"),),
        (group("group-good", "10.0.0.0/8"),),
        "0.0.0.0/0 in on ports 443-443",
    ),
    Case(
        "disk-encryption",
        (volume("disk-bad", encrypted=False),),
        (volume("disk-good", encrypted=True),),
        "encrypted is False",
    ),
    Case(
        "ecr-immutable-tags",
        (repository("tags-bad", imageTagMutability="MUTABLE"),),
        (repository("tags-good"),),
        "imageTagMutability is 'MUTABLE'",
    ),
    Case(
        "ecr-scan",
        (repository("scan-bad", imageScanningConfiguration={"scanOnPush": False}),),
        (repository("scan-good"),),
        "scanOnPush is False",
    ),
    Case(
        "aws-tags",
        (aws("sqs/queue:Queue", "tagged-bad", tagged=False, tags={"Project": "x"}),),
        (aws("sqs/queue:Queue", "tagged-good"),),
        "no tag Environment",
    ),
    Case(
        "image-exact",
        (pod("exact-bad", image="harbor.corp/images/docker.io/library/redis:latest"),),
        (pod("exact-good"),),
        "redis:latest",
    ),
    Case(
        "image-mirror",
        (pod("mirror-bad", image=ELSEWHERE),),
        (pod("mirror-good"), pod("own-good", image="1.dkr.ecr.x.amazonaws.com/a:1.0")),
        ELSEWHERE,
    ),
    Case(
        "chart-exact", (release("chart-bad", "^1.2"),), (release("chart-good", "v1.2.3"),), "^1.2"
    ),
    Case(
        "pod-privileges",
        (pod("host-bad", spec={"hostNetwork": True}),),
        (pod("host-good"),),
        "hostNetwork is true",
    ),
    Case(
        "container-resources",
        (pod("asks-bad", resources={"requests": {"cpu": "1"}}),),
        (pod("asks-good"),),
        "has no requests.memory, limits.memory",
    ),
    Case(
        "load-balancer",
        (service("door-bad"),),
        (
            service("door-good", loadBalancerSourceRanges=["10.0.0.0/8"]),
            service("inside-good", annotations=INTERNAL),
        ),
        "everybody (no source range)",
    ),
    Case(
        "secret-content",
        (kubernetes("core/v1:Secret", "secret-bad", stringData={"key": "hush-hush"}),),
        (kubernetes("core/v1:Secret", "secret-good"),),
        "holds key",
    ),
    Case(
        "data-protected",
        (key("data-bad", protect=False),),
        (key("data-good"),),
        "is not protected",
    ),
)
