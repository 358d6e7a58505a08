"""A linter of the community over everything rendered: no finding without a written reason."""

import copy

import pytest

from local.paths import Cache
from tests.harness.manifests import manifests
from tools.lint_objects import STACKS, Accepted, Finding, accepted, checkov, findings, judge


@pytest.mark.unit
def test_a_finding_counts_until_somebody_wrote_down_why_it_stays() -> None:
    found = [Finding("C1", "about", "prod Deployment a/b"), Finding("C2", "about", "dev Job a/c")]
    entries = [
        Accepted("C1", "about", ("prod .*",), "reason"),
        Accepted("C3", "about", (".*",), "reason"),
    ]
    assert judge(found, entries) == ([found[1]], [entries[1]])


@pytest.mark.unit
def test_every_accepted_finding_has_a_reason() -> None:
    assert all(len(entry.reason) > 40 for entry in accepted())


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_linter_finds_nothing_that_is_not_explained_and_sees_a_fault() -> None:
    objects = {stack: copy.deepcopy(manifests(stack)) for stack in STACKS}
    (bad, *_) = [it for it in objects["prod"] if it["kind"] == "Deployment"]
    broken = copy.deepcopy(bad)
    broken["metadata"]["name"] = "broken"
    container = broken["spec"]["template"]["spec"]["containers"][0]
    container["securityContext"] = {"privileged": True}
    objects["fault"] = [broken]
    found = findings(objects, checkov(Cache.default()))
    left, stale = judge(found, accepted())
    assert {it.object.split()[0] for it in left} == {"fault"}
    assert "CKV_K8S_16" in {it.check for it in left}, "privileged"
    assert stale == []
