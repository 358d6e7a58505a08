"""Takes leftovers away, what holds others first, and tries again while AWS is still letting go."""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import WaiterError

from infra.aws_session import AWS_ERRORS, AwsSession, code_of, explain
from infra.teardown.leftover import Leftover

ORDER = (
    "instance",
    "load-balancer",
    "classic-load-balancer",
    "target-group",
    "launch-template",
    "instance-profile",
    "volume",
    "network-interface",
    "security-group",
    "log-group",
    "oidc-provider",
)
"""Instances hold disks, interfaces and groups; load balancers their target groups and interfaces;
interfaces their groups."""
STILL_IN_USE = frozenset(
    {
        "DependencyViolation",
        "InvalidNetworkInterface.InUse",
        "InvalidParameterValue",
        "VolumeInUse",
        "ResourceInUse",
        "ResourceInUseException",
        "DeleteConflict",
        "IncorrectState",
    }
)
"""AWS's words for something that is a moment, or a neighbour, from deletable."""
GONE = ("NotFound", "NoSuchEntity", "ResourceNotFoundException", "LoadBalancerNotFound")
ATTEMPTS, PAUSE_SECONDS = 8, 10.0


@dataclass
class Sweep:
    """One run of deletions."""

    session: AwsSession
    tell: Callable[[str], None]
    failed: dict[str, str] = field(default_factory=dict)
    """Why something could not be deleted, by its id."""

    def run(self, leftovers: Iterable[Leftover]) -> None:
        """Delete all of them; those that can't be stand in `failed`."""
        todo = [it for it in leftovers if it.fate == "delete"]
        for kind in ORDER:
            some = [it for it in todo if it.kind == kind]
            if kind == "security-group" and some:
                self._without_rules(some)
            for each in some:
                self._delete(each)
            if kind in AWAITED and some:
                self._await(kind, [it.id for it in some if it.id not in self.failed])

    def _delete(self, each: Leftover) -> None:
        problem = self._tried(lambda: DELETIONS[each.kind](self.session, each.id))
        if problem:
            self.failed[each.id] = problem
            self.tell(f"{each.kind} {each.id}: {problem}")
        else:
            self.tell(f"{each.kind} {each.id} deleted")

    def _tried(self, action: Callable[[], Any]) -> str:
        """Why it did not work in the end; empty when it did, or there was nothing to do."""
        pause, problem = threading.Event(), ""
        for attempt in range(ATTEMPTS):
            if attempt:
                pause.wait(PAUSE_SECONDS)
            try:
                action()
            except AWS_ERRORS as error:
                code = code_of(error)
                if code.endswith(GONE):
                    return ""
                problem = explain(error)
                if code not in STILL_IN_USE:
                    break
            else:
                return ""
        return problem

    def _await(self, kind: str, ids: Sequence[str]) -> None:
        service, waiter, argument = AWAITED[kind]
        if not ids:
            return
        self.tell(f"waiting for {len(ids)} of kind {kind} to be gone")
        try:
            self.session.client(service).get_waiter(waiter).wait(**{argument: [*ids]})
        except (WaiterError, *AWS_ERRORS) as error:
            self.tell(f"{kind}: {explain(error)}; what they hold may refuse to go")

    def _without_rules(self, groups: Sequence[Leftover]) -> None:
        """Groups whose rules name one another could not be deleted in any order."""
        ec2 = self.session.client("ec2")

        def revoke(group: str) -> None:
            (found,) = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
            if found["IpPermissions"]:
                ec2.revoke_security_group_ingress(
                    GroupId=group, IpPermissions=found["IpPermissions"]
                )
            if found["IpPermissionsEgress"]:
                ec2.revoke_security_group_egress(
                    GroupId=group, IpPermissions=found["IpPermissionsEgress"]
                )

        for each in groups:
            if problem := self._tried(lambda group=each.id: revoke(group)):  # type: ignore[misc]
                self.tell(f"rules of security-group {each.id}: {problem}")


AWAITED = {
    "instance": ("ec2", "instance_terminated", "InstanceIds"),
    "load-balancer": ("elbv2", "load_balancers_deleted", "LoadBalancerArns"),
}


def _instance_profile(session: AwsSession, name: str) -> None:
    iam = session.client("iam")
    for role in iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"]:
        iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=role["RoleName"])
    iam.delete_instance_profile(InstanceProfileName=name)


def _load_balancer(session: AwsSession, arn: str) -> None:
    elbv2 = session.client("elbv2")
    elbv2.modify_load_balancer_attributes(
        LoadBalancerArn=arn,
        Attributes=[{"Key": "deletion_protection.enabled", "Value": "false"}],
    )
    elbv2.delete_load_balancer(LoadBalancerArn=arn)


def _call(service: str, operation: str, argument: str) -> Callable[[AwsSession, str], Any]:
    return lambda session, name: getattr(session.client(service), operation)(**{argument: name})


DELETIONS: dict[str, Callable[[AwsSession, str], Any]] = {
    "instance": lambda session, it: session.client("ec2").terminate_instances(InstanceIds=[it]),
    "load-balancer": _load_balancer,
    "classic-load-balancer": _call("elb", "delete_load_balancer", "LoadBalancerName"),
    "target-group": _call("elbv2", "delete_target_group", "TargetGroupArn"),
    "launch-template": _call("ec2", "delete_launch_template", "LaunchTemplateId"),
    "instance-profile": _instance_profile,
    "volume": _call("ec2", "delete_volume", "VolumeId"),
    "network-interface": _call("ec2", "delete_network_interface", "NetworkInterfaceId"),
    "security-group": _call("ec2", "delete_security_group", "GroupId"),
    "log-group": _call("logs", "delete_log_group", "logGroupName"),
    "oidc-provider": _call("iam", "delete_open_id_connect_provider", "OpenIDConnectProviderArn"),
}
