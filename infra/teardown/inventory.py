"""Everything that a stack's cluster left in its region."""

from infra.aws_session import AWS_ERRORS, AwsSession, code_of, explain
from infra.teardown.deletion import ORDER
from infra.teardown.ec2 import find_ec2
from infra.teardown.leftover import Leftover
from infra.teardown.scope import Scope
from infra.teardown.services import find_identities, find_load_balancers, find_logs, find_tagged


class InventoryError(Exception):
    """Something could not be looked for, so nobody may say that nothing is left; one line."""


def cluster_is_there(session: AwsSession, name: str) -> bool:
    """Whether EKS still knows the cluster."""
    try:
        session.client("eks").describe_cluster(name=name)
    except AWS_ERRORS as error:
        if code_of(error) == "ResourceNotFoundException":
            return False
        raise InventoryError(explain(error)) from None
    return True


def take_inventory(session: AwsSession, scope: Scope) -> list[Leftover]:
    """Sorted in the order in which it would be deleted; what stays comes last."""
    try:
        found = [
            *find_ec2(session.client("ec2"), scope),
            *find_load_balancers(session.client("elbv2"), session.client("elb"), scope),
            *find_identities(session.client("iam"), scope),
            *find_logs(session.client("logs"), scope),
        ]
        tagging = session.client("resourcegroupstaggingapi")
        found += find_tagged(tagging, scope, {it.id for it in found})
    except AWS_ERRORS as error:
        raise InventoryError(explain(error)) from None
    places = {kind: place for place, kind in enumerate(ORDER)}
    last = len(places)
    return sorted(
        found, key=lambda it: (it.fate != "delete", places.get(it.kind, last), it.kind, it.id)
    )
