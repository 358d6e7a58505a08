"""The rules of the policy pack as pure functions: each refuses what breaks it, and only that."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.admission_policies import FLOATING_TAGS
from infra.policies.rules import every, images
from infra.policies.rules.rule import UNKNOWN, Finding, Resource, Rule
from local.engine.stack_files import KEY
from local.paths import CHECKOUT
from local.preview.budget import FOUNDATION, PLATFORM, WHOLE, budget_of
from tests.infra.policy_cases import CASES, STACK_FILE, Case, key, pod

pytestmark = pytest.mark.unit

RULES = {rule.id: rule for rule in every.RULES}
BY_HAND = {"explicit-provider", "stack-size"}
"""Rules about no property, with tests of their own."""


def resource(entry: Mapping[str, Any], **other: Any) -> Resource:
    properties = dict(entry["properties"])
    if str(properties.get("bucket", "")).startswith("${"):
        properties["bucket"] = properties["bucket"][2:].partition(".")[0]
    return Resource(
        entry["type"], entry["name"], properties, protected=entry.get("protect", False), **other
    )


def findings(rule: Rule, seen: list[Resource], **given: Any) -> list[Finding]:
    settings = rule.settled(STACK_FILE, given)
    if rule.check_stack is not None:
        return list(rule.check_stack(seen, settings))
    check = rule.check
    assert check is not None
    return [found for it in seen if rule.concerns(it.type) for found in check(it, settings)]


def test_every_rule_has_a_case_an_own_id_and_one_function() -> None:
    assert sorted({it.rule for it in CASES} | BY_HAND) == sorted(RULES)
    assert len(RULES) == len(every.RULES) == len(CASES) + len(BY_HAND)
    assert all((rule.check is None) != (rule.check_stack is None) for rule in RULES.values())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_a_rule_refuses_what_breaks_it_and_nothing_else(case: Case) -> None:
    rule = RULES[case.rule]
    (found,) = findings(rule, [resource(it) for it in case.bad])
    line = found.line(resource(case.bad[0]))
    assert line.startswith(f"{case.bad[0]['name']} ({case.bad[0]['type']}): ")
    assert case.says in line
    assert "; allowed: " in line
    assert "\n" not in line
    assert findings(rule, [resource(it) for it in case.good]) == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_a_resource_that_breaks_one_rule_breaks_no_other(case: Case) -> None:
    resources = [resource(it) for it in case.bad]
    broken = {name for name, rule in RULES.items() if findings(rule, resources)}
    assert broken == {case.rule}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_what_a_preview_can_not_know_breaks_no_rule(case: Case) -> None:
    beside = [it for it in case.bad if it["type"] != "aws:s3/bucket:Bucket"]
    hidden = [
        Resource(it["type"], it["name"], dict.fromkeys(it["properties"], UNKNOWN), protected=True)
        for it in beside
    ]
    assert findings(RULES[case.rule], hidden) == []


def test_an_image_that_a_preview_can_not_know_is_not_judged() -> None:
    of_a_build = [resource(pod("p", image=UNKNOWN))]
    assert findings(RULES["image-exact"], of_a_build) == []
    assert findings(RULES["image-mirror"], of_a_build) == []


def test_a_secret_is_named_by_its_keys_alone() -> None:
    case = next(it for it in CASES if it.rule == "secret-content")
    (found,) = findings(RULES["secret-content"], [resource(case.bad[0])])
    assert "hush" not in found.line()


def test_the_default_provider_is_refused_and_one_of_the_program_is_not() -> None:
    rule = RULES["explicit-provider"]
    (found,) = findings(rule, [resource(key("k"), provider="default_7_51_0")])
    assert "'default_7_51_0'" in found.line()
    assert findings(rule, [resource(key("k"), provider="aws"), resource(key("k"))]) == []


def test_a_stack_may_grow_to_its_budget_and_not_beyond() -> None:
    rule = RULES["stack-size"]
    three = [resource(key(name)) for name in "abc"]
    assert findings(rule, three, resources=3) == []
    (found,) = findings(rule, three, resources=2)
    assert found.line() == (
        "the stack has 3 resources; allowed: 2; split the stack (docs/stacks.md), or give tenants "
        "stacks of their own"
    )


def test_the_tags_that_move_are_those_that_the_cluster_refuses() -> None:
    assert set(FLOATING_TAGS) == images.LOOSE


def test_settings_come_from_the_pack_then_from_the_stack_then_from_the_rule() -> None:
    mirror = RULES["image-mirror"]
    assert mirror.settled({}, {}) == {"mirror": ""}
    assert mirror.settled({"imageMirror": "a"}, {}) == {"mirror": "a"}
    assert mirror.settled({"imageMirror": "a"}, {"mirror": "b"}) == {"mirror": "b"}
    protect = RULES["data-protected"]
    assert protect.settled({"protect": False}, {})["protect"] is False
    assert findings(protect, [resource(key("k", protect=False))], protect=False) == []
    secret = RULES["secret-content"]
    assert secret.settled({"secrets": {"source": "directory"}}, {})["external"] is False
    privileges = RULES["pod-privileges"]
    bad = resource(pod("p", spec={"hostPID": True}))
    assert findings(privileges, [bad]) != []
    assert findings(privileges, [bad], namespaces=["ai-agents"]) == []


def test_the_default_tags_of_a_provider_count() -> None:
    rule = RULES["aws-tags"]
    bare = {"type": "aws:sqs/queue:Queue", "name": "q", "properties": {}}
    text = '{"tags": {"Project": "p", "Environment": "e"}}'
    assert findings(rule, [resource(bare)]) != []
    assert findings(rule, [resource(bare, provider_props={"defaultTags": text})]) == []


@pytest.mark.parametrize("file", sorted(CHECKOUT.glob("Pulumi.*.yaml")), ids=lambda it: it.name)
def test_the_budget_of_a_stack_is_the_one_that_its_preview_shows(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    settings = RULES["stack-size"].settled(yaml.safe_load(text)["config"][KEY], {})
    assert settings["resources"] == budget_of(text).most


def test_the_budgets_of_split_stacks_are_those_of_their_kind() -> None:
    settled = RULES["stack-size"].settled
    for stack, budget in (({"layer": "foundation"}, FOUNDATION), ({}, WHOLE)):
        assert settled(stack, {})["resources"] == budget.most
    below = {"cluster": {"stack": {"name": "o/agentic-platform/f"}}}
    assert settled(below, {})["resources"] == PLATFORM.most


def test_the_pack_runs_with_the_pulumi_of_the_program() -> None:
    def pins(file: str) -> list[str]:
        read = tomllib.loads((CHECKOUT / file).read_text(encoding="utf-8"))
        extras = read["project"].get("optional-dependencies", {}).values()
        listed = [*read["project"]["dependencies"], *(it for extra in extras for it in extra)]
        return [it for it in listed if it.startswith("pulumi==")]

    assert pins("infra/policies/pyproject.toml") == pins("pyproject.toml") != []
