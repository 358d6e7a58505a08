"""Roles of the agents' namespace."""

import pytest

from components.access_control import (
    AccessControlConfig,
    access_control_manifests,
    operator_rules,
    viewer_rules,
)

pytestmark = pytest.mark.unit


def test_operators_read_secrets_by_full_name_only() -> None:
    assert all("secrets" not in rule["resources"] for rule in operator_rules([]))
    named = operator_rules(["agent-token"])[-1]
    assert named["resources"] == ["secrets"]
    assert named["resourceNames"] == ["agent-token"]
    assert named["verbs"] == ["get"]


def test_viewers_only_look() -> None:
    verbs = {verb for rule in viewer_rules() for verb in rule["verbs"]}
    assert verbs == {"get", "list", "watch"}
    assert all("secrets" not in rule["resources"] for rule in viewer_rules())


def test_a_role_that_nobody_holds_has_no_binding() -> None:
    config = AccessControlConfig(operator_groups=(), viewer_groups=("lookers",))
    made = [
        (each["kind"], each["metadata"]["name"])
        for each in access_control_manifests(config, namespace="ai-agents")
    ]
    assert made == [
        ("Role", "agent-operator"),
        ("Role", "agent-viewer"),
        ("RoleBinding", "agent-viewer"),
    ]
