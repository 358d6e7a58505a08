"""The platform's pools, quotas and scalers under the real Karpenter, KEDA and scheduler."""

import pytest

from tests.scaling import checks, stack_objects
from tests.scaling.mutants import (
    FIRST,
    GPU_POOL,
    MUTANT_FIRST,
    MUTANT_POOL,
    MUTANT_THEN,
    THEN,
)
from tests.scaling.permissions import rendered
from tests.scaling.stack_objects import AGENT
from tests.scaling.story import AGENTS, MISSED, MUTANT_AGENT, PRICED_POOL, Story, allowed

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(900)]

TYPES = "node.kubernetes.io/instance-type"
WAYS = "karpenter.sh/capacity-type"
GPUS = 64
PERCENT = 20
QUIET_SECONDS = 30.0


def offers() -> tuple[list[str], list[str]]:
    """What the stack's GPU pool may buy: types, and ways to buy them."""
    pool = stack_objects.prod().node_pool(GPU_POOL)
    return allowed(pool, TYPES), allowed(pool, WAYS)


def test_the_stack_says_what_these_tests_assume() -> None:
    pool = stack_objects.prod().node_pool(GPU_POOL)["spec"]
    assert pool["limits"]["nvidia.com/gpu"] == str(GPUS)
    assert pool["disruption"]["budgets"] == [{"nodes": f"{PERCENT}%"}]
    assert pool["disruption"]["consolidateAfter"] == f"{QUIET_SECONDS:g}s"


def test_the_limit_of_64_gpus_is_held_with_pods_of_one_gpu(story: Story) -> None:
    checks.limit_is_held(story.history, GPU_POOL, GPUS)
    assert story.height is not None
    assert sum(claim.gpus for claim in story.height.of(GPU_POOL)) == GPUS
    assert story.pods["burst running"] == GPUS - 4 - 8, "two tenants hold the other twelve"
    assert story.pods["burst pending"] > 0


def test_a_higher_limit_would_be_noticed(story: Story) -> None:
    with pytest.raises(AssertionError, match="GPUs at once"):
        checks.limit_is_held(story.history, MUTANT_POOL, GPUS)


def test_the_cheapest_allowed_offer_is_chosen(story: Story) -> None:
    checks.cheapest_is_chosen(story.history, GPU_POOL, *offers())


@pytest.mark.parametrize("pool", [MUTANT_POOL, PRICED_POOL])
def test_a_missing_type_or_another_price_would_be_noticed(story: Story, pool: str) -> None:
    with pytest.raises(AssertionError, match="is the cheapest"):
        checks.cheapest_is_chosen(story.history, pool, *offers())


def test_spot_is_bought_first_and_then_on_demand_by_weight(story: Story) -> None:
    assert story.height is not None
    checks.overflows(story.height, FIRST, THEN, first_holds=2)


def test_swapped_weights_would_be_noticed(story: Story) -> None:
    assert story.height is not None
    with pytest.raises(AssertionError, match="expected spot"):
        checks.overflows(story.height, MUTANT_FIRST, MUTANT_THEN, first_holds=2)


def test_a_tenant_has_four_gpus_and_no_more(story: Story) -> None:
    assert story.pods["tenant"] == 4
    assert any("exceeded quota" in message for message in story.events)


def test_a_tenants_larger_quota_would_be_noticed(story: Story) -> None:
    assert story.pods["tenant mutant"] != 4


def test_at_most_a_fifth_of_the_nodes_rounded_up_leave_at_once(story: Story) -> None:
    checks.budget_is_held(
        story.history, GPU_POOL, PERCENT, since=story.drained, until=story.two_rounds
    )


def test_a_budget_of_everything_would_be_noticed(story: Story) -> None:
    with pytest.raises(AssertionError, match="allowed"):
        checks.budget_is_held(
            story.history, MUTANT_POOL, PERCENT, since=story.drained, until=story.two_rounds
        )


def test_an_empty_node_is_left_alone_for_thirty_seconds(story: Story) -> None:
    checks.quiet_time_is_kept(story.history, GPU_POOL, QUIET_SECONDS, since=story.drained)


def test_no_quiet_time_would_be_noticed(story: Story) -> None:
    with pytest.raises(AssertionError, match="at least"):
        checks.quiet_time_is_kept(story.history, MUTANT_POOL, QUIET_SECONDS, since=story.drained)


def test_a_node_that_says_do_not_disrupt_is_kept(story: Story) -> None:
    checks.is_kept(story.history, story.annotated, since=story.drained)


def test_a_node_that_does_not_say_so_goes(story: Story) -> None:
    with pytest.raises(AssertionError, match=story.beside):
        checks.is_kept(story.history, story.beside, since=story.drained)


def test_the_nodes_are_gone_after_the_load(story: Story) -> None:
    assert story.height is not None
    checks.nodes_are_gone(story.history, GPU_POOL, before=story.height)


def test_nodes_that_stay_would_be_noticed(story: Story) -> None:
    assert story.height is not None
    with pytest.raises(AssertionError, match="are still there"):
        checks.nodes_are_gone(story.history, MUTANT_THEN, before=story.height)


def test_a_chart_whose_rules_depend_on_a_value_is_not_read_as_if_they_did_not() -> None:
    with pytest.raises(ValueError, match="if"):
        rendered("rules:\n  {{- if .Values.more }}\n  - verbs: [get]\n  {{- end }}\n")


def test_the_controllers_have_every_right_that_they_use(story: Story) -> None:
    assert story.refused == set()


@pytest.mark.parametrize("refusal", sorted(MISSED))
def test_a_right_that_is_missing_would_be_noticed(story: Story, refusal: str) -> None:
    assert refusal in story.refused_then


def test_a_list_of_tasks_scales_the_agent_from_2_to_20_and_back(story: Story) -> None:
    checks.scales_between(story.history, f"{AGENTS}/{AGENT}", 2, 20, since=story.loaded)


def test_other_bounds_would_be_noticed(story: Story) -> None:
    with pytest.raises(AssertionError, match=MUTANT_AGENT):
        checks.scales_between(story.history, f"{AGENTS}/{MUTANT_AGENT}", 2, 20, since=story.loaded)
