"""Which deletion of a stack is drained before, and that everything else is gone by then."""

import pytest

from components.drain_hooks import HOOKS
from tests.harness.recording import Recording
from tests.infra.platforms import AUTO_MODE, BROUGHT, built

pytestmark = pytest.mark.unit


def guards(made: Recording) -> dict[str, list[str]]:
    """Hooks by the last part of the type token and the name of what they stand before."""
    return {
        f"{urn.split('::')[2].rsplit('$', 1)[-1].rsplit(':', 1)[-1]} {urn.rsplit('::', 1)[1]}": each
        for urn, each in made.guards.items()
    }


@pytest.mark.parametrize("name", ["dev", "prod", BROUGHT])
def test_what_cleans_up_is_drained_before_it_goes(name: str) -> None:
    made = guards(built(name))
    namespaces = {key: made.pop(key) for key in [*made] if key.startswith("Namespace ")}
    assert namespaces
    assert set(map(tuple, namespaces.values())) == {("drain-webhooks",)}
    assert made == {
        "Release load-balancer-controller": ["drain-load-balancers"],
        "Release karpenter": ["drain-nodes"],
        "Addon aws-ebs-csi-driver": ["drain-volumes"],
        "NodePool gpu-inference-pool": ["drain-node-pool"],
        "NodePool general-pool": ["drain-node-pool"],
    }


def test_in_auto_mode_what_goes_last_stands_for_the_drivers_of_aws() -> None:
    made = guards(built(AUTO_MODE))
    assert made["StorageClass gp3"] == ["drain-load-balancers", "drain-volumes"]
    assert made["AccessEntry auto-mode-node"] == ["drain-nodes"]
    assert {name for names in made.values() for name in names} == set(HOOKS)


@pytest.mark.parametrize("name", ["local", "tenant-a"])
def test_a_stack_without_a_cluster_of_its_own_needs_no_program_to_be_destroyed(name: str) -> None:
    assert built(name).guards == {}


@pytest.mark.parametrize("name", ["dev", "prod", BROUGHT, AUTO_MODE])
def test_no_namespace_of_the_platform_is_left_when_a_drain_begins(name: str) -> None:
    """A drain takes one that is left for a sign that the cluster is in use."""
    made = built(name)
    last = {
        urn
        for urn, names in made.guards.items()
        if {"drain-load-balancers", "drain-volumes", "drain-nodes"} & set(names)
    }
    namespaces = [urn for urn in made.waits if urn.split("::")[2].endswith(":core/v1:Namespace")]
    assert namespaces
    early = [
        (space.rsplit("::", 1)[1], guarded.rsplit("::", 1)[1])
        for space in namespaces
        for guarded in last
        if guarded not in made.before(space)
    ]
    assert early == []


def test_a_pool_may_take_as_long_to_go_as_its_nodes() -> None:
    made = built("prod")
    (pool,) = [urn for urn in made.guards if urn.endswith("NodePool::gpu-inference-pool")]
    assert made.delete_timeouts[pool] == "40m"
