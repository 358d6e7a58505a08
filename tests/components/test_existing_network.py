"""A VPC that is there already: used and tagged, never changed."""

from typing import Any

import pytest

from components.existing_network import ExistingNetwork, ExistingNetworkConfig
from tests.harness.recording import Recording, record

pytestmark = pytest.mark.unit

PRIVATE = {"us-west-2a": "subnet-0123456789abcdef0", "us-west-2b": "subnet-0123456789abcdef1"}
PUBLIC = {"us-west-2a": "subnet-0123456789abcdef2"}


def network(**settings: Any) -> Recording:
    config = ExistingNetworkConfig(
        vpc_id="vpc-0123456789abcdef0",
        cidr="10.10.0.0/16",
        private_subnets=PRIVATE,
        public_subnets=PUBLIC,
        **settings,
    )

    def build() -> dict[str, Any]:
        made = ExistingNetwork("network", config=config, cluster="ai-cluster")
        return {"vpc": made.vpc_id, "private": made.private_subnet_ids}

    return record(build)


def test_its_subnets_get_the_tags_and_nothing_else_is_made() -> None:
    made = network()
    tags = [
        (it.inputs["resourceId"], it.inputs["key"], it.inputs["value"]) for it in made.resources[1:]
    ]
    assert sorted(tags) == [
        *(
            (subnet, key, value)
            for subnet in PRIVATE.values()
            for key, value in (
                ("karpenter.sh/discovery", "ai-cluster"),
                ("kubernetes.io/role/internal-elb", "1"),
            )
        ),
        (PUBLIC["us-west-2a"], "kubernetes.io/role/elb", "1"),
    ]
    assert made.values["vpc"] == "vpc-0123456789abcdef0"


def test_tags_of_another_team_are_left_alone() -> None:
    made = network(tag_subnets=False)
    assert [it.type for it in made.resources] == ["agentic:network:ExistingNetwork"]
