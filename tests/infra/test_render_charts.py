"""What a reviewer sees of charts that a change moves: the parts that need no Helm."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from local.engine.events import Step
from local.report import UserError
from tools.render_charts.comparison import compare, not_rendered
from tools.render_charts.helm import Helm, HelmError
from tools.render_charts.manifests import Masks, as_text, differing, objects, without
from tools.render_charts.release import (
    BUNDLE,
    RELEASE,
    Release,
    checkout_of,
    kubernetes_version,
    releases_of,
)
from tools.render_charts.report import json_text, markdown, text

pytestmark = pytest.mark.unit

ONE = Release(
    name="keda",
    chart="keda",
    repository="https://x",
    version="1.0.0",
    namespace="keda",
    values="{}",
    with_definitions=False,
    kubernetes="1.34.0",
    api_versions=(),
)
TWO = replace(ONE, version="1.1.0")
CONFIG = """
apiVersion: v1
kind: ConfigMap
metadata: {name: c, namespace: n}
data: {level: %s}
---
apiVersion: v1
kind: Secret
metadata: {name: s}
stringData: {password: %s}
"""


def step(named: str, kind: str = RELEASE, **inputs: object) -> Step:
    return Step(f"urn:pulumi:prod::p::{kind}::{named}", kind, "create", inputs=dict(inputs))


def test_a_release_is_read_as_the_program_gives_it() -> None:
    steps = [
        step("gateway-api", BUNDLE),
        step("storage-vectors", "aws:s3/bucket:Bucket"),
        step(
            "keda",
            chart="keda",
            version="2.20.2",
            repositoryOpts={"repo": "https://kedacore.github.io/charts"},
            namespace="keda",
            values={"bucket": "storage-vectors-556a58d", "tag": "main-556a58d"},
            skipCrds=True,
        ),
        step("kagent", chart="oci://ghcr.io/x/kagent", version="0.9.12", name="agents"),
    ]
    found = releases_of(steps, stack_file="config: {}")
    keda, kagent = found["keda"], found["kagent"]
    assert (keda.repository, keda.with_definitions) == ("https://kedacore.github.io/charts", False)
    assert json.loads(keda.values) == {"bucket": "storage-vectors-0000000", "tag": "main-556a58d"}
    assert (kagent.name, kagent.repository, kagent.with_definitions) == ("agents", "", True)
    for known in ("keda.sh/v1alpha1/ScaledObject", "gateway.networking.k8s.io/v1"):
        assert known in keda.api_versions
    assert not [it for it in keda.api_versions if "karpenter" in it]


def test_the_chart_is_told_the_kubernetes_of_its_stack() -> None:
    file = "config: {'agentic-platform:platform': {cluster: {eks: {version: '1.35'}}}}"
    assert kubernetes_version(file) == "1.35"
    assert kubernetes_version("config: {}") == "1.34"


def test_an_unchanged_release_is_not_rendered() -> None:
    def never(_: Release) -> str:
        raise AssertionError

    (found,) = compare({"keda": ONE}, {"keda": ONE}, never)
    assert found.same
    assert "1 of 1 charts have the same version and values" in text("prod", "main", [found])


def test_a_change_is_shown_by_object_and_a_secret_by_a_number() -> None:
    def render(release: Release) -> str:
        return CONFIG % (("info", "old-word") if release == ONE else ("debug", "new-word"))

    (found,) = compare({"keda": ONE}, {"keda": TWO}, render)
    assert [*found.changed] == ["v1 ConfigMap n/c", "v1 Secret s"]
    shown = text("prod", "main", [found]) + markdown("prod", "main", [found])
    shown += json_text("prod", "main", [found])
    assert "-  level: info" in shown
    assert "+  level: debug" in shown
    assert "-  password: (hidden, value 1)" in shown
    assert "+  password: (hidden, value 2)" in shown
    assert "word\n" not in shown.replace("password", "")
    assert "old-word" not in shown
    assert "new-word" not in shown


def test_a_secret_that_stays_is_no_change() -> None:
    (found,) = compare({"keda": ONE}, {"keda": TWO}, lambda _: CONFIG % ("info", "same-word"))
    assert not found.changed
    assert not found.random


def test_objects_that_come_and_go_are_counted() -> None:
    def render(release: Release) -> str:
        kept, other = CONFIG.split("---")
        return kept % "x" if release == ONE else other % "y"

    (found,) = compare({"keda": ONE}, {"keda": TWO}, render)
    assert ([*found.removed], [*found.added]) == (["v1 ConfigMap n/c"], ["v1 Secret s"])
    assert "| keda | 1.0.0 → 1.1.0 | 1 | 0 | 1 | 0 |" in markdown("prod", "main", [found])


def test_a_chart_that_comes_or_goes_is_compared_with_nothing() -> None:
    added, removed = compare({"b": ONE}, {"a": ONE}, lambda _: CONFIG % ("x", "y"))
    assert (added.versions(), len(added.added)) == ("none → 1.0.0", 2)
    assert (removed.versions(), len(removed.removed)) == ("1.0.0 → none", 2)


def test_content_that_differs_at_each_render_is_a_finding_and_no_diff() -> None:
    counter = iter(range(100))

    def render(_: Release) -> str:
        return CONFIG % ("info", f"random-{next(counter)}")

    (found,) = compare({"keda": ONE}, {"keda": TWO}, render)
    assert found.random == ["v1 Secret s: stringData.password"]
    assert not found.changed
    assert "endless diff" in text("prod", "main", [found])


def test_a_chart_that_can_not_be_had_is_one_line_and_takes_no_other_with_it() -> None:
    def render(release: Release) -> str:
        if release.name == "gone":
            raise HelmError("Error: no such host")
        return CONFIG % (release.version, "x")

    gone = replace(ONE, name="gone")
    found = compare({"a": gone, "b": ONE}, {"a": replace(gone, version="2.0.0"), "b": TWO}, render)
    assert [*not_rendered(found)] == ["a (keda 1.0.0 → 2.0.0): not rendered: Error: no such host"]
    assert [*found[1].changed] == ["v1 ConfigMap n/c"]
    assert "| a | 1.0.0 → 2.0.0 | ? |" in markdown("prod", "main", found)


def test_lists_of_objects_are_opened_and_names_kept_apart() -> None:
    found = objects(
        "kind: List\nitems: [{kind: A, metadata: {name: x}}, {kind: A, metadata: {name: x}}]\n---\n"
    )
    assert [*found] == [" A x", " A x #2"]


def test_what_is_random_is_found_by_its_path() -> None:
    one = {"spec": {"items": [{"a": 1}, {"b": 2}]}, "gone": 1}
    two = {"spec": {"items": [{"a": 1}, {"b": 3}]}}
    paths = {*differing(one, two)}
    assert paths == {("spec", "items", "1", "b"), ("gone",)}
    assert without(one, paths) == without(two, paths)
    assert Masks().masked({"kind": "ConfigMap", "data": {"a": "b"}})["data"] == {"a": "b"}
    assert as_text({"b": "one\ntwo", "a": 1}) == ["a: 1", "b: |-", "  one", "  two"]


def test_a_long_diff_is_cut_and_says_so() -> None:
    def render(release: Release) -> str:
        lines = "".join(f"  k{n:04}: '{release.version}'\n" for n in range(1000))
        return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata:\n{lines}"

    (found,) = compare({"keda": ONE}, {"keda": TWO}, render)
    (diff,) = found.changed.values()
    assert len(diff) == 401
    assert diff[-1].endswith("more lines")


def test_helm_reads_nothing_of_the_user_but_the_registries_they_logged_in_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "helm"
    program.write_text('#!/bin/sh\n[ "$1" = pull ] && touch "$4/keda.tgz" || env | grep ^HELM_\n')
    program.chmod(0o755)
    monkeypatch.setenv("HELM_KUBETOKEN", "made-up")
    monkeypatch.setenv("HELM_REGISTRY_CONFIG", "/home/somebody/registry.json")
    said = Helm(program, tmp_path).render(ONE)
    assert "HELM_KUBETOKEN" not in said
    assert "HELM_REGISTRY_CONFIG=/home/somebody/registry.json" in said
    assert f"HELM_CACHE_HOME={tmp_path}" in said


def test_a_helm_that_fails_and_says_nothing_is_an_error(tmp_path: Path) -> None:
    program = tmp_path / "helm"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(HelmError):
        Helm(program, tmp_path).render(ONE)


def test_the_base_is_a_commit_of_the_repository(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True)

    git("init", "-q", "-b", "main")
    (tmp_path / "Pulumi.yaml").write_text("name: before\n")
    git("add", ".")
    git("commit", "-q", "-m", "one")
    (tmp_path / "Pulumi.yaml").write_text("name: after\n")
    with checkout_of("main", repository=tmp_path) as folder:
        assert (folder / "Pulumi.yaml").read_text() == "name: before\n"
        done = subprocess.run(
            [folder / ".venv/bin/python", "-c", "import sys; print(sys.path)"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert str(folder) in done.stdout
    assert not folder.exists()
    for unknown in ("nope", "--list"):
        with (
            pytest.raises(UserError, match="base: got"),
            checkout_of(unknown, repository=tmp_path),
        ):
            pass
