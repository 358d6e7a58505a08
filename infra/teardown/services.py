"""Leftovers outside EC2: load balancers, instance profiles, identity providers, logs."""

from collections.abc import Iterator, Sequence
from typing import Any

from infra.teardown.leftover import Leftover, proof, tags_of
from infra.teardown.scope import Scope

TAGS_AT_ONCE = 20
"""DescribeTags of both load balancing APIs takes no more names in a call."""
HOLDS_DATA = ("kms", "s3", "ecr", "backup", "secretsmanager", "dynamodb", "rds", "elasticache")
UNPROVEN = "has the stack's tags, but no tag of its cluster: look whose it is"


def find_load_balancers(elbv2: Any, elb: Any, scope: Scope) -> Iterator[Leftover]:
    """Load balancers of every generation, and target groups."""
    balancers = _all(elbv2, "describe_load_balancers", "LoadBalancers")
    groups = _all(elbv2, "describe_target_groups", "TargetGroups")
    names = {it["LoadBalancerArn"]: it["LoadBalancerName"] for it in balancers}
    names |= {it["TargetGroupArn"]: it["TargetGroupName"] for it in groups}
    for arn, why in _proven(elbv2, "ResourceArns", "ResourceArn", [*names], scope):
        kind = "target-group" if ":targetgroup/" in arn else "load-balancer"
        yield Leftover(kind, arn, "delete", why, name=names[arn])
    classic = [
        it["LoadBalancerName"]
        for it in _all(elb, "describe_load_balancers", "LoadBalancerDescriptions")
    ]
    for name, why in _proven(elb, "LoadBalancerNames", "LoadBalancerName", classic, scope):
        yield Leftover("classic-load-balancer", name, "delete", why, name=name)


def _all(client: Any, operation: str, key: str) -> list[dict[str, Any]]:
    pages = client.get_paginator(operation).paginate()
    return [each for page in pages for each in page[key]]


def _proven(
    client: Any, argument: str, key: str, names: Sequence[str], scope: Scope
) -> Iterator[tuple[str, str]]:
    for start in range(0, len(names), TAGS_AT_ONCE):
        some = list(names[start : start + TAGS_AT_ONCE])
        for each in client.describe_tags(**{argument: some})["TagDescriptions"]:
            why = proof(tags_of(each["Tags"]), scope.cluster)
            if why and not scope.has(each[key]):
                yield each[key], why


def find_identities(iam: Any, scope: Scope) -> Iterator[Leftover]:
    """Instance profiles of Karpenter's node classes, and identity providers of the cluster."""
    for each in _all(iam, "list_instance_profiles", "InstanceProfiles"):
        name = each["InstanceProfileName"]
        found = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
        why = proof(tags_of(found.get("Tags")), scope.cluster)
        if why and not scope.has(name, each["Arn"]):
            yield Leftover("instance-profile", name, "delete", why, name=each["Path"])
    for each in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]:
        arn = each["Arn"]
        found = iam.list_open_id_connect_provider_tags(OpenIDConnectProviderArn=arn)["Tags"]
        why = proof(tags_of(found), scope.cluster)
        if why and not scope.has(arn):
            yield Leftover("oidc-provider", arn, "delete", why)


def find_logs(logs: Any, scope: Scope) -> Iterator[Leftover]:
    """Log groups that EKS and its add-ons name after the cluster."""
    for prefix in (f"/aws/eks/{scope.cluster}/", f"/aws/containerinsights/{scope.cluster}/"):
        pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix)
        for each in (it for page in pages for it in page["logGroups"]):
            name = each["logGroupName"]
            if not scope.has(name):
                yield Leftover("log-group", name, "delete", f"its name begins with {prefix}")


def find_tagged(tagging: Any, scope: Scope, known: set[str]) -> Iterator[Leftover]:
    """What bears the stack's own tags and is in no state; `known`: ids that were found already."""
    filters = [{"Key": key, "Values": [value]} for key, value in sorted(scope.tags.items())]
    pages = tagging.get_paginator("get_resources").paginate(TagFilters=filters)
    for each in (it for page in pages for it in page["ResourceTagMappingList"]):
        arn = each["ResourceARN"]
        service, name = arn.split(":")[2], _last(arn)
        if scope.has(arn, name) or _ends_with_one(arn, known):
            continue
        if service in HOLDS_DATA:
            yield Leftover(service, arn, "kept", "holds data or keys to it: delete it yourself")
        else:
            why = proof(tags_of(each["Tags"]), scope.cluster)
            reason = f"{why}, but of a kind that is not deleted here" if why else UNPROVEN
            yield Leftover(service, arn, "report", reason)


def _ends_with_one(arn: str, ids: set[str]) -> bool:
    return any(arn == it or arn.endswith((f":{it}", f"/{it}")) for it in ids)


def _last(arn: str) -> str:
    return arn.split(":", 5)[5].rpartition("/")[2]
