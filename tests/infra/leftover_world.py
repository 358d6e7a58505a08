"""An account in moto with what two clusters left behind."""

import json
from dataclasses import dataclass, field
from typing import Any

from infra.aws_session import AwsSession

REGION = "us-west-2"
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


@dataclass
class Remains:
    """What one cluster left; `ids` by a name of the test's own."""

    session: AwsSession
    cluster: str
    network: dict[str, str]
    ids: dict[str, str] = field(default_factory=dict)

    def leave(self) -> "Remains":
        self._groups()
        self._compute()
        self._balancers()
        self._rest()
        return self

    def owned(self) -> list[dict[str, str]]:
        return [{"Key": f"kubernetes.io/cluster/{self.cluster}", "Value": "owned"}]

    def spec(self, kind: str, some: list[dict[str, str]]) -> list[dict[str, Any]]:
        return [{"ResourceType": kind, "Tags": some}]

    def _groups(self) -> None:
        """Two whose rules name each other, and an interface that holds one of them."""
        ec2 = self.session.client("ec2")
        for name in ("front", "back"):
            made = ec2.create_security_group(
                GroupName=f"{self.cluster}-{name}",
                Description=name,
                VpcId=self.network["vpc"],
                TagSpecifications=self.spec("security-group", self._balancer_tag()),
            )
            self.ids[name] = made["GroupId"]
        for one, other in (("front", "back"), ("back", "front")):
            pair = [{"GroupId": self.ids[other]}]
            rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": pair}
            ec2.authorize_security_group_ingress(GroupId=self.ids[one], IpPermissions=[rule])
        interface = ec2.create_network_interface(
            SubnetId=self.network["subnet"],
            Groups=[self.ids["front"]],
            TagSpecifications=self.spec(
                "network-interface",
                [{"Key": "cluster.k8s.amazonaws.com/name", "Value": self.cluster}],
            ),
        )
        self.ids["interface"] = interface["NetworkInterface"]["NetworkInterfaceId"]

    def _balancer_tag(self) -> list[dict[str, str]]:
        return [{"Key": "elbv2.k8s.aws/cluster", "Value": self.cluster}]

    def _compute(self) -> None:
        ec2 = self.session.client("ec2")
        node = [
            {"Key": "karpenter.sh/nodepool", "Value": "general-pool"},
            {"Key": "eks:eks-cluster-name", "Value": self.cluster},
        ]
        made = ec2.run_instances(
            ImageId="ami-12c6146b",
            InstanceType="g5.48xlarge",
            MinCount=1,
            MaxCount=1,
            SubnetId=self.network["subnet"],
            TagSpecifications=self.spec("instance", node),
        )
        self.ids["instance"] = made["Instances"][0]["InstanceId"]
        template = ec2.create_launch_template(
            LaunchTemplateName=f"karpenter-{self.cluster}",
            LaunchTemplateData={"InstanceType": "m6i.large"},
            TagSpecifications=self.spec("launch-template", node),
        )
        self.ids["template"] = template["LaunchTemplate"]["LaunchTemplateId"]
        disk = [
            {"Key": "KubernetesCluster", "Value": self.cluster},
            {"Key": "ebs.csi.aws.com/cluster", "Value": "true"},
        ]
        volume = ec2.create_volume(
            AvailabilityZone=f"{REGION}a", Size=20, TagSpecifications=self.spec("volume", disk)
        )
        self.ids["volume"] = volume["VolumeId"]
        snapshot = ec2.create_snapshot(
            VolumeId=volume["VolumeId"], TagSpecifications=self.spec("snapshot", self.owned())
        )
        self.ids["snapshot"] = snapshot["SnapshotId"]

    def _balancers(self) -> None:
        elbv2 = self.session.client("elbv2")
        made = elbv2.create_load_balancer(
            Name=f"{self.cluster}-lb",
            Type="network",
            Subnets=[self.network["subnet"]],
            Tags=self._balancer_tag(),
        )
        self.ids["balancer"] = made["LoadBalancers"][0]["LoadBalancerArn"]
        group = elbv2.create_target_group(
            Name=f"{self.cluster}-tg",
            Protocol="TCP",
            Port=80,
            VpcId=self.network["vpc"],
            Tags=self._balancer_tag(),
        )
        self.ids["targets"] = group["TargetGroups"][0]["TargetGroupArn"]
        elbv2.create_listener(
            LoadBalancerArn=self.ids["balancer"],
            Protocol="TCP",
            Port=80,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": self.ids["targets"]}],
        )

    def _rest(self) -> None:
        iam, name = self.session.client("iam"), f"{self.cluster}_4067990795380418201"
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
        iam.create_instance_profile(InstanceProfileName=name, Tags=self.owned())
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
        self.ids["profile"] = name
        self.ids["logs"] = f"/aws/eks/{self.cluster}/cluster"
        self.session.client("logs").create_log_group(logGroupName=self.ids["logs"])


def network(session: AwsSession) -> dict[str, str]:
    """A VPC that both clusters are in."""
    ec2 = session.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/20")["Subnet"]["SubnetId"]
    return {"vpc": vpc, "subnet": subnet}


def make_cluster(session: AwsSession, name: str, subnet: str) -> None:
    """The control plane itself, as long as it is there."""
    role = f"arn:aws:iam::123456789012:role/{name}"
    session.client("eks").create_cluster(
        name=name, roleArn=role, resourcesVpcConfig={"subnetIds": [subnet]}
    )
