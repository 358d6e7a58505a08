"""The stand-ins' pure parts: values on the wire, differences, names, invented answers."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.engine.events import EngineResult
from local.engine.heal import checkpoint, heal
from local.engine.shim import stack_of
from local.preview.outcome import Outcome, Verdict
from local.standin.backend import refusal
from local.standin.differences import Difference, differences
from local.standin.kubernetes.inputs import Token, checked
from local.standin.kubernetes.readiness import missing
from local.standin.kubernetes.replacement import replacing_paths
from local.standin.recording.identity import Account, Inventor, tables
from local.standin.recording.invokes import answer
from local.standin.wire import (
    UNKNOWN,
    Secret,
    decode,
    encode,
    has_unknown,
    hide,
    plain,
    secret_texts,
)

pytestmark = pytest.mark.unit

TEXTS = st.text(max_size=8)
LEAVES = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | TEXTS
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3) | inner.map(Secret)
    ),
    max_leaves=12,
)
URN = "urn:pulumi:test::tiny::agentic:a:B$kubernetes:core/v1:ConfigMap::settings"


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_values_survive_the_wire(properties: dict[str, Any]) -> None:
    assert decode(encode(properties)) == properties


@given(VALUES, VALUES)
def test_hiding_keeps_the_content_and_leaves_no_secret_text_open(value: Any, like: Any) -> None:
    texts = secret_texts(like)
    hidden = hide(value, like, texts)
    assert plain(hidden) == plain(value)
    assert not texts & open_texts(hidden)


def open_texts(value: Any) -> set[str]:
    """The texts that no secret mark covers; keys can't be marked."""
    if isinstance(value, dict):
        return set().union(*map(open_texts, value.values()))
    if isinstance(value, list):
        return set().union(*map(open_texts, value))
    return {value} if isinstance(value, str) else set()


def test_a_copy_of_a_secret_is_found_by_its_text_also_in_base64() -> None:
    texts = secret_texts({"a": Secret("hunter2")})
    assert hide({"b": "hunter2", "c": "aHVudGVyMg==", "d": "x"}, None, texts) == {
        "b": Secret("hunter2"),
        "c": Secret("aHVudGVyMg=="),
        "d": "x",
    }
    assert "hunter2" not in repr(Secret("hunter2"))


def test_unknowns_are_found_however_deep() -> None:
    assert has_unknown({"a": [{"b": Secret(UNKNOWN)}]})
    assert not has_unknown({"a": [{"b": Secret("known")}]})


def test_differences_name_paths_as_the_engine_does() -> None:
    old = {"metadata": {"labels": {"a.b/c": "1"}}, "spec": {"ports": [{"port": 1}, {"port": 2}]}}
    new = {"metadata": {"labels": {"a.b/c": "2"}}, "spec": {"ports": [{"port": 1}], "x": True}}
    assert [(d.text, d.change) for d in differences(old, new)] == [
        ('metadata.labels["a.b/c"]', "update"),
        ("spec.ports[1]", "delete"),
        ("spec.x", "add"),
    ]


@pytest.mark.parametrize(
    ("kind", "path", "replaces"),
    [
        ("Deployment", ("spec", "selector", "matchLabels", "app"), True),
        ("Deployment", ("spec", "replicas"), False),
        ("StatefulSet", ("spec", "volumeClaimTemplates", 0, "spec"), True),
        ("Job", ("spec", "template", "spec", "containers", 0, "image"), True),
        ("Job", ("spec", "parallelism"), False),
        ("Service", ("spec", "clusterIP"), True),
        ("Service", ("spec", "ports", 0, "port"), False),
        ("PersistentVolumeClaim", ("spec", "storageClassName"), True),
        ("PersistentVolumeClaim", ("spec", "resources", "requests", "storage"), False),
        ("StorageClass", ("parameters", "type"), True),
        ("StorageClass", ("allowVolumeExpansion",), False),
        ("RoleBinding", ("roleRef", "name"), True),
        ("RoleBinding", ("subjects", 0, "name"), False),
        ("Secret", ("type",), True),
        ("Secret", ("stringData", "password"), True),
        ("ConfigMap", ("data", "a"), True),
        ("ConfigMap", ("metadata", "labels", "a"), False),
        ("Anything", ("metadata", "name"), True),
        ("Anything", ("metadata", "namespace"), True),
        ("Anything", ("spec",), False),
    ],
)
def test_what_is_immutable_replaces(kind: str, path: tuple[str, ...], *, replaces: bool) -> None:
    change = Difference(path, "update")
    assert any(change.concerns(rule) for rule in replacing_paths(kind, frozenset())) is replaces


def test_configuration_changes_in_place_where_the_provider_says_so() -> None:
    change = Difference(("data", "a"), "update")
    rules = replacing_paths("ConfigMap", frozenset({"ConfigMap"}))
    assert not any(change.concerns(rule) for rule in rules)


def _checked(news: dict[str, Any], olds: dict[str, Any], *, namespaced: bool | None) -> Any:
    return checked(
        URN, news, olds, seed=b"s", default_namespace="team", namespaced=lambda *_: namespaced
    )["metadata"]


def test_check_fills_in_the_namespace_and_a_stable_name() -> None:
    first = _checked({}, {}, namespaced=True)
    assert first["namespace"] == "team"
    assert first["name"].startswith("settings-")
    assert _checked({}, {"metadata": first}, namespaced=True) == first
    assert "namespace" not in _checked({"metadata": {"name": "a"}}, {}, namespaced=False)


def test_without_an_api_server_a_recorded_namespace_stays() -> None:
    old = {"metadata": {"name": "a", "namespace": "team"}}
    assert _checked({"metadata": {"name": "a"}}, old, namespaced=None) == old["metadata"]


def test_types_are_read_out_of_urns() -> None:
    token = Token.of("urn:pulumi:s::p::kubernetes:apps/v1:DeploymentPatch::x")
    assert (token.api_version, token.kind, token.is_patch) == ("apps/v1", "Deployment", True)
    assert Token.of(URN).api_version == "v1"


def waiting(*conditions: dict[str, str]) -> dict[str, Any]:
    """An object of a kind that nobody knows, and the condition for which it asks to be waited."""
    return {
        "kind": "NodePool",
        "metadata": {"annotations": {"pulumi.com/waitFor": "condition=Ready"}},
        "status": {"conditions": [*conditions]},
    }


@pytest.mark.parametrize(
    ("live", "lacks"),
    [
        ({"kind": "ConfigMap"}, None),
        (
            {
                "kind": "Deployment",
                "metadata": {"generation": 2},
                "spec": {"replicas": 2},
                "status": {"observedGeneration": 2, "readyReplicas": 1},
            },
            "1 of 2 replicas are ready",
        ),
        (
            {
                "kind": "StatefulSet",
                "metadata": {"generation": 2},
                "spec": {"replicas": 1},
                "status": {"observedGeneration": 1, "readyReplicas": 1},
            },
            "1 of 1 replicas are ready",
        ),
        ({"kind": "Job", "status": {"succeeded": 1}}, None),
        ({"kind": "PersistentVolumeClaim", "status": {"phase": "Pending"}}, "it is not bound"),
        (waiting(), "its condition Ready is not there, not True"),
        (waiting({"type": "Ready", "status": "False"}), "its condition Ready is False, not True"),
        (waiting({"type": "Ready", "status": "True"}), None),
    ],
)
def test_readiness_is_told_by_kind(live: dict[str, Any], lacks: str | None) -> None:
    assert missing(live) == lacks


@pytest.mark.parametrize(
    ("environment", "refused"),
    [
        ({"PULUMI_BACKEND_URL": "file:///state"}, False),
        ({"PULUMI_BACKEND_URL": "https://api.example.com"}, True),
        ({"PULUMI_BACKEND_URL": "s3://bucket"}, True),
        ({"PULUMI_HOME": "/nonexistent"}, True),
    ],
)
def test_only_file_backends_are_served(environment: dict[str, str], *, refused: bool) -> None:
    assert (refusal("x", environment) is not None) is refused


def test_the_login_counts_when_no_variable_names_a_backend(tmp_path: Path) -> None:
    login = tmp_path / "credentials.json"
    login.write_text('{"current": "file://~"}')
    assert refusal("x", {"PULUMI_HOME": str(tmp_path)}) is None
    login.write_text('{"current": "https://api.example.com"}')
    assert "https://api.example.com" in (refusal("x", {"PULUMI_HOME": str(tmp_path)}) or "")


def test_the_tables_of_invented_values_can_all_be_filled() -> None:
    data = tables()
    for kind in {*data["ids"], *data["outputs"], *data["autonamed"]}:
        inventor = Inventor(f"urn:pulumi:s::p::{kind}::x", {}, Account())
        assert "{" not in inventor.identity()
        assert "{" not in repr([v for v in inventor.outputs().values() if isinstance(v, str)])


def test_account_and_region_come_from_the_provider_or_an_arn() -> None:
    provider = {"region": "cn-north-1", "allowedAccountIds": '["1"]'}
    assert Account.of_provider(provider).partition == "aws-cn"
    found = Account().seen_in({"a": ["arn:aws:kms:eu-west-1:111122223333:key/1"]})
    assert (found.region, found.number) == ("eu-west-1", "111122223333")


def test_a_policy_document_is_rendered_as_aws_does() -> None:
    statement = {
        "actions": ["s3:GetObject"],
        "resources": ["a", "b"],
        "principals": [{"type": "AWS", "identifiers": ["*"]}],
        "conditions": [{"test": "Bool", "variable": "aws:SecureTransport", "values": ["true"]}],
    }
    token = "aws:iam/getPolicyDocument:getPolicyDocument"
    text = answer(token, {"statements": [statement]}, Account())["minifiedJson"]
    assert text == (
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", '
        '"Resource": ["a", "b"], "Principal": {"AWS": "*"}, '
        '"Condition": {"Bool": {"aws:SecureTransport": "true"}}}]}'
    )


@pytest.mark.parametrize(
    ("arguments", "environment", "stack"),
    [
        (["preview", "-s", "dev"], {}, "dev"),
        (["--stack=organization/p/prod", "up"], {}, "prod"),
        (["up"], {"PULUMI_STACK": "local"}, "local"),
        (["up"], {}, None),
    ],
)
def test_the_wrapper_knows_which_stack_is_meant(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], stack: str | None
) -> None:
    settings = {"PULUMI_HOME": str(tmp_path)} | environment
    assert stack_of(arguments, tmp_path, settings) == stack


def test_open_operations_of_real_plugins_are_left_to_pulumi(tmp_path: Path) -> None:
    file = checkpoint(tmp_path, "p", "s")
    file.parent.mkdir(parents=True)
    pending = [{"type": "creating", "resource": {"urn": "a::b"}}]
    state = json.dumps({"checkpoint": {"latest": {"pending_operations": pending}}})
    file.write_text(state)
    assert heal(tmp_path, "p", "s", stand_ins=False) == []
    assert file.read_text() == state
    assert heal(tmp_path, "p", "s", stand_ins=True) == [
        "cleared 1 operation(s) that a killed run left open: b"
    ]


def test_a_preview_is_told_to_people_machines_and_pull_requests() -> None:
    result = EngineResult(ok=True, planned=True, changes={"create": 2})
    verdicts = [
        Verdict("ConfigMap a/b", "checked", "v1", "ConfigMap"),
        Verdict("Gadget a/c", "unknown-kind", "example.com/v1", "Gadget"),
    ]
    outcome = Outcome("dev", result, verdicts, ["<b>said</b> | so"])
    assert outcome.ok
    assert "NOT checked: no source has the schema of their kind: Gadget a/c" in outcome.text()
    assert outcome.as_json()["checks"] == {"checked": 1, "unknown-kind": 1}
    assert outcome.markdown().startswith("## ✅ `dev`: 2 to create")
    assert "&lt;b>said" in outcome.markdown()
    result.errors.append("a ```` b")
    assert not outcome.ok
    assert outcome.markdown().startswith("## ❌")
    assert outcome.markdown().count("````") == 2
