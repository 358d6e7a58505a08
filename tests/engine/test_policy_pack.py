"""The real engine runs the policy pack: each rule refuses its bad resource, by its own id."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from infra.policies.rules.every import RULES
from local.engine import Engine, EngineResult
from local.paths import CHECKOUT, Cache, State
from local.preview.policies import Policies
from local.preview.run import NOBODY
from local.report import UserError
from local.toolchain.policy_pack import POLICIES, ensure_environment
from tests.harness.engine import Project, pulumi
from tests.infra.platforms import AUTO_MODE, BROUGHT, data_of, stack_name
from tests.infra.policy_cases import CASES, STACK_FILE
from tests.infra.stack_data import stack_text

pytestmark = [pytest.mark.engine, pytest.mark.slow]

BUDGET = 40
BUILD = {
    "type": "docker-build:index:Image",
    "name": "unprovided",
    "properties": {"context": {"location": "."}, "push": False},
}
"""Its package has no provider in the program, so the engine makes a default one."""


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Policies:
    """The pack with a budget that the resources below exceed."""
    try:
        ensure_environment(POLICIES, Cache.default())
    except UserError as error:
        pytest.skip(str(error))
    config = tmp_path_factory.mktemp("pack") / "config.json"
    config.write_text(json.dumps({"stack-size": {"resources": BUDGET}}))
    return Policies(POLICIES, config)


@pytest.fixture
def judged(cloud_project: Project, tmp_path: Path) -> Project:
    """A project whose stack says what prod's says, with default providers allowed."""
    config = {"agentic-platform:platform": STACK_FILE, "pulumi:disable-default-providers": []}
    cloud_project.stack_file.write_text(yaml.safe_dump({"config": config}))
    NOBODY.write(tmp_path / "kubeconfig", context="local", user="nobody")
    (cloud_project.root / "Dockerfile").write_text("FROM scratch\n")
    return cloud_project


def providers(project: Project) -> dict[str, object]:
    kubeconfig = str(project.root.parent / "kubeconfig")
    return {
        "aws": {"region": "eu-west-1"},
        "kubernetes": {"kubeconfig": kubeconfig, "clusterIdentifier": "test"},
    }


def lines(result: EngineResult, name: str) -> set[tuple[str, str]]:
    """Rule and line of every violation of a resource."""
    return {(it.rule, it.line) for it in result.violations if it.line.startswith(f"{name} ")}


def test_each_rule_refuses_its_bad_resource_and_no_good_one(
    judged: Project, pack: Policies
) -> None:
    entries = {it["name"]: it for case in CASES for it in (*case.bad, *case.good)}
    judged.resources(*entries.values(), BUILD, providers=providers(judged))
    result = judged.preview(*pack.arguments())
    assert not result.ok
    assert result.errors == []
    for case in CASES:
        ((rule, line),) = lines(result, case.bad[0]["name"])
        assert (rule, case.says in line) == (case.rule, True), line
        assert [lines(result, it["name"]) for it in case.good] == [set()] * len(case.good)
    ((rule, line),) = lines(result, "unprovided")
    assert rule == "explicit-provider"
    (size,) = [it.line for it in result.violations if it.rule == "stack-size"]
    assert f"allowed: {BUDGET}" in size
    assert {it.rule for it in result.violations} == {rule.id for rule in RULES}
    levels = {rule.id: rule.level == "mandatory" for rule in RULES}
    assert all(it.mandatory == levels[it.rule] for it in result.violations)
    assert "hush-hush" not in str(result)


def test_an_update_makes_nothing_that_a_rule_refuses(judged: Project, pack: Policies) -> None:
    wanted = {it.rule: it for it in CASES}
    bad, good = wanted["kms-rotation"].bad[0], wanted["kms-rotation"].good[0]
    judged.resources(good, bad | {"dependsOn": [good["name"]]}, providers=providers(judged))
    result = judged.run("up", "--yes", "--skip-preview", "--policy-pack", str(pack.pack))
    assert not result.ok
    assert {it.rule for it in result.violations} == {"kms-rotation"}
    made = [it["urn"] for it in judged.exported()["resources"]]
    assert any(urn.endswith(f"::{good['name']}") for urn in made)
    assert not any(urn.endswith(f"::{bad['name']}") for urn in made)


def test_a_rule_can_be_made_advisory_or_switched_off(
    judged: Project, pack: Policies, tmp_path: Path
) -> None:
    wanted = {it.rule: it for it in CASES}
    bad = [wanted[name].bad[0] for name in ("kms-rotation", "ecr-scan")]
    judged.resources(*bad, providers=providers(judged))
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"kms-rotation": "advisory", "ecr-scan": "disabled"}))
    result = judged.preview(*Policies(pack.pack, config).arguments())
    assert result.ok, result.errors
    assert [(it.rule, it.mandatory) for it in result.violations] == [("kms-rotation", False)]


def test_a_pack_without_its_environment_is_told_in_one_line(
    judged: Project, tmp_path: Path
) -> None:
    copy = shutil.copytree(POLICIES, tmp_path / "pack", ignore=shutil.ignore_patterns(".venv"))
    (copy / "uv.lock").write_text("another\n")
    judged.resources(providers=providers(judged))
    result = judged.preview("--policy-pack", str(copy))
    assert not result.ok
    assert any("uv sync --project" in it for it in [*result.errors, *result.notices])
    assert "Traceback" not in str(result)


def previewed(name: str, folder: Path, pack: Policies, **environment: str) -> EngineResult:
    """A preview of one of the platform's stacks, without an API server."""
    stack = stack_name(name)
    file = folder / f"Pulumi.{stack}.yaml"
    file.write_text(stack_text(data_of(name), like=stack), encoding="utf-8")
    engine = Engine(CHECKOUT, State(folder / "state"), {"pulumi": pulumi()})
    engine.ensure_stack(stack, config_file=file)
    result = engine.run("preview", *pack.arguments(), stack=stack, environment=environment)
    assert not [it for it in result.notices if "can't run policy" in it]
    assert result.changes["create"] > 300
    return result


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("dev", "known"),
        ("prod", "known"),
        ("prod", "unknown"),
        (AUTO_MODE, "known"),
        (BROUGHT, "known"),
    ],
)
def test_the_platforms_own_stacks_break_no_rule(
    name: str, values: str, pack: Policies, tmp_path: Path
) -> None:
    own = Policies(pack.pack)
    result = previewed(name, tmp_path, own, AGENTIC_STANDIN_PREVIEW=values)
    assert result.violations == []
    assert result.ok, result.errors


STRICTER = {
    "aws-tags": ({"tags": ["NoSuchTag"]}, "storage-models"),
    "container-resources": ({"required": ["limits.ephemeral-storage"]}, "vllm-claude3"),
    "data-protected": ({"protect": True}, "encryption-storage"),
    "eks-logs": ({"logs": ["scheduler"]}, "cluster-eksCluster"),
    "image-mirror": ({"mirror": "nowhere.example"}, "vllm-claude3"),
    "stack-size": ({"resources": 100}, ""),
}
"""By rule: what dev does not keep, and a resource of dev that is told."""


@pytest.mark.timeout(600)
def test_stricter_settings_find_the_resources_of_a_stack(pack: Policies, tmp_path: Path) -> None:
    config = tmp_path / "stricter.json"
    config.write_text(json.dumps({rule: given for rule, (given, _) in STRICTER.items()}))
    result = previewed(
        "dev", tmp_path, Policies(pack.pack, config), AGENTIC_STANDIN_PREVIEW="known"
    )
    assert not result.ok
    assert {it.rule for it in result.violations} == set(STRICTER)
    for rule, (_, name) in STRICTER.items():
        assert [it for it in result.violations if it.rule == rule and it.line.startswith(name)]
