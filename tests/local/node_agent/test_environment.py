"""A container's environment."""

from typing import Any

import pytest

from local.node_agent.environment import resolve
from local.node_agent.sources import SourceMissing
from tests.local.node_agent.samples import config_map, container, pod, secret, sources

pytestmark = pytest.mark.unit
IMAGE = {"PATH": "/usr/bin", "HOME": "/tmp"}


def resolved(env: list[dict[str, Any]], **more: Any) -> dict[str, str]:
    spec = container(env=env, **more)
    found = sources(
        pod(spec, serviceAccountName="robot"),
        config_maps={"settings": config_map(LEVEL="debug", HOST="from-map")},
        secrets={"login": secret(password="pw")},
    )
    return resolve(spec, found, IMAGE)


def test_later_variables_see_earlier_ones_and_override_the_image() -> None:
    found = resolved(
        [
            {"name": "HOST", "value": "db"},
            {"name": "URL", "value": "http://$(HOST)/$(LATER)"},
            {"name": "LATER", "value": "x"},
            {"name": "HOME", "value": "/data"},
        ]
    )
    assert found == {
        "PATH": "/usr/bin",
        "HOME": "/data",
        "HOST": "db",
        "URL": "http://db/$(LATER)",
        "LATER": "x",
    }


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "web-0"),
        ("metadata.namespace", "shop"),
        ("metadata.uid", "uid-web-0"),
        ("metadata.labels['app']", "web"),
        ("metadata.annotations['missing']", ""),
        ("spec.nodeName", "local"),
        ("spec.serviceAccountName", "robot"),
        ("status.podIP", "127.128.0.7"),
        ("status.podIPs", "127.128.0.7"),
        ("status.hostIP", "127.64.0.1"),
    ],
)
def test_fields_of_the_pod_become_variables(path: str, value: str) -> None:
    found = resolved([{"name": "X", "valueFrom": {"fieldRef": {"fieldPath": path}}}])
    assert found["X"] == value


def test_limits_default_to_what_the_node_has_and_requests_to_nothing() -> None:
    env = [
        {"name": name, "valueFrom": {"resourceFieldRef": {"resource": resource}}}
        for name, resource in (
            ("CPU", "limits.cpu"),
            ("MEMORY", "limits.memory"),
            ("ASKED", "requests.memory"),
        )
    ]
    found = resolved(env, resources={"limits": {"cpu": "1500m"}})
    assert (found["CPU"], found["MEMORY"], found["ASKED"]) == ("2", str(4096 * 2**20), "0")


def test_whole_maps_and_secrets_can_be_taken_with_a_prefix() -> None:
    found = resolved(
        [{"name": "APP_LEVEL", "value": "warn"}],
        envFrom=[
            {"prefix": "APP_", "configMapRef": {"name": "settings"}},
            {"secretRef": {"name": "login"}},
            {"secretRef": {"name": "missing", "optional": True}},
        ],
    )
    assert found["APP_LEVEL"] == "warn"
    assert found["APP_HOST"] == "from-map"
    assert found["password"] == "pw"


def test_a_missing_optional_key_leaves_the_variable_out() -> None:
    reference = {"name": "login", "key": "token", "optional": True}
    assert "T" not in resolved([{"name": "T", "valueFrom": {"secretKeyRef": reference}}])


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ({"secretKeyRef": {"name": "login", "key": "token"}}, "couldn't find key token in secret"),
        ({"secretKeyRef": {"name": "gone", "key": "x"}}, 'secret "gone" not found'),
        ({"configMapKeyRef": {"name": "gone", "key": "x"}}, 'configmap "gone" not found'),
        ({"fieldRef": {"fieldPath": "spec.color"}}, "'spec.color' is not supported"),
    ],
)
def test_what_is_required_and_missing_is_named(reference: dict[str, Any], message: str) -> None:
    with pytest.raises(SourceMissing, match=message):
        resolved([{"name": "X", "valueFrom": reference}])
