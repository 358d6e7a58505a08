"""The policies at the door of a real API server: what passes, what is refused, in which words."""

from collections.abc import Iterator
from typing import Any

import pytest

from components.admission_policies import (
    ADMISSION_LABEL,
    NAME_PREFIX,
    AdmissionPolicyConfig,
    admission_manifests,
)
from components.admission_rules import API_VERSION, POLICY
from components.priority_class import DEFAULT_PRIORITY_CLASSES, priority_class_manifest
from infra.policies.rules.images import is_exact
from local.kube import ApiError
from tests.api_server.admission_cases import (
    CASES,
    CHART,
    CONFIG,
    GPU_NODES,
    KEEP,
    NAMESPACES,
    PASSING,
    PLATFORM,
    REGISTRY,
    TENANT,
    pod,
    secret,
    toleration,
)
from tests.harness.api_server import ApiServer
from tests.harness.processes import wait_until

pytestmark = pytest.mark.api_server


def refused(server: ApiServer, manifest: dict[str, Any]) -> str:
    """The API server's words; empty when it takes the object."""
    try:
        server.client.create(manifest, dry_run=True)
    except ApiError as error:
        return str(error)
    return ""


@pytest.fixture(scope="module")
def door(api_server: ApiServer) -> Iterator[ApiServer]:
    """The policies in force in namespaces of their own; gone afterwards."""
    client = api_server.client
    for manifest in NAMESPACES.values():
        client.apply(manifest)
        client.wait("v1", "ServiceAccount", "default", manifest["metadata"]["name"], until=bool)
    account = {"name": "keeper", "namespace": PLATFORM}
    client.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
    batch = "agentic-batch"
    client.apply(priority_class_manifest(batch, DEFAULT_PRIORITY_CLASSES[batch]))
    policies = admission_manifests(CONFIG, [REGISTRY])
    for manifest in policies:
        client.apply(manifest)
    first = {name: manifest for name, manifest, _ in reversed(CASES)}
    for name, manifest in first.items():
        # The API server reads its policies a moment after it stored them.
        wait_until(
            lambda name=name, manifest=manifest: (
                NAME_PREFIX + name in refused(api_server, manifest)
            ),  # type: ignore[misc] # a lambda with defaults
            what=f"policy {name} in force",
        )
    yield api_server
    for manifest in reversed(policies):
        client.delete(manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"])


def test_there_is_a_refusal_for_every_policy() -> None:
    made = {it["metadata"]["name"] for it in admission_manifests(CONFIG, [REGISTRY])}
    assert {NAME_PREFIX + name for name, _, _ in CASES} == made


@pytest.mark.parametrize(
    ("name", "manifest", "says"), CASES, ids=[f"{name}: {says[:32]}" for name, _, says in CASES]
)
def test_the_api_server_refuses_it_by_that_policy_alone(
    door: ApiServer, name: str, manifest: dict[str, Any], says: str
) -> None:
    words = refused(door, manifest)
    assert f"ValidatingAdmissionPolicy '{NAME_PREFIX}{name}'" in words
    assert says in words
    assert "expression" not in words, "CEL that failed says so in place of the policy's words"


def test_the_api_server_takes_everything_else(door: ApiServer) -> None:
    assert [said for it in PASSING if (said := refused(door, it))] == []


@pytest.mark.parametrize(
    "image",
    [
        "redis:8",
        "redis",
        "redis:latest",
        "redis:stable",
        "redis:unstable",
        "a.b:5000/c",
        "a.b:5000/c:main",
        "a.b:5000/c:1.0-main",
        f"redis:latest@sha256:{'a' * 64}",
    ],
)
def test_a_preview_and_the_api_server_agree_on_what_is_exact(door: ApiServer, image: str) -> None:
    said = refused(door, pod(image=f"{REGISTRY}/{image}"))
    assert is_exact(f"{REGISTRY}/{image}") == (not said), said


def test_an_object_from_before_a_policy_can_be_changed_and_taken_apart(door: ApiServer) -> None:
    """What a policy refuses today may be there since yesterday, held by a finalizer."""
    client = door.client
    old = pod("old", CHART, image="redis:latest", resources={}, annotations=KEEP)
    old["metadata"]["finalizers"] = ["agentic.dev/test"]
    client.create(old)
    label = {"metadata": {"labels": {ADMISSION_LABEL: "platform"}}}
    client.patch("v1", "Namespace", CHART, label)
    try:
        again = pod("again", CHART, image=f"{REGISTRY}/redis:latest")
        wait_until(lambda: "image-exact" in refused(door, again), what="the label read")
        client.patch("v1", "Pod", "old", {"metadata": {"labels": {"a": "b"}}}, namespace=CHART)
        image = {"spec": {"containers": [{"name": "c", "image": "redis:main"}]}}
        with pytest.raises(ApiError, match="redis:main"):
            client.patch("v1", "Pod", "old", image, CHART, patch_type="strategic")
        client.patch("v1", "Pod", "old", {"metadata": {"finalizers": None}}, namespace=CHART)
        client.delete("v1", "Pod", "old", CHART)
    finally:
        client.patch("v1", "Namespace", CHART, {"metadata": {"labels": {ADMISSION_LABEL: None}}})


def test_a_tenants_pod_gets_no_toleration_later(door: ApiServer) -> None:
    client = door.client
    client.create(pod("gated", TENANT, schedulingGates=[{"name": "example.com/wait"}]))
    found = client.get("v1", "Pod", "gated", TENANT)["spec"]["tolerations"]
    harmless = toleration(key="node.kubernetes.io/disk-pressure", operator="Exists")
    client.patch("v1", "Pod", "gated", {"spec": {"tolerations": [*found, harmless]}}, TENANT)
    more = {"spec": {"tolerations": [*found, harmless, GPU_NODES]}}
    with pytest.raises(ApiError, match=r"toleration nvidia\.com/gpu: allowed are"):
        client.patch("v1", "Pod", "gated", more, TENANT)


def test_an_ephemeral_container_brings_no_image_of_its_own(door: ApiServer) -> None:
    door.client.create(pod("debugged"))
    path = door.client.path("v1", "Pod", PLATFORM, "debugged") + "/ephemeralcontainers"
    found = door.client.get("v1", "Pod", "debugged", PLATFORM)
    found["spec"]["ephemeralContainers"] = [{"name": "shell", "image": "busybox"}]
    with pytest.raises(ApiError, match="image busybox"):
        door.client.request("PUT", path, body=found)


def test_the_expressions_fit_the_types_of_what_they_look_at(door: ApiServer) -> None:
    def checked(found: Any) -> bool:
        return bool(found and "typeChecking" in (found.get("status") or {}))

    for name in {name for name, _, _ in CASES}:
        found = door.client.wait(
            API_VERSION, POLICY, NAME_PREFIX + name, until=checked, timeout_seconds=60
        )
        assert found is not None
        assert found["status"]["typeChecking"] == {}, name


def test_a_policy_that_only_warns_refuses_nothing(door: ApiServer) -> None:
    settings = AdmissionPolicyConfig(action="Warn")
    binding = admission_manifests(
        CONFIG.model_copy(update={"policies": {"account-token": settings}}), [REGISTRY]
    )
    name = f"{NAME_PREFIX}account-token"
    changed = next(
        it for it in binding if it["metadata"]["name"] == name and "Binding" in it["kind"]
    )
    token = secret("kubernetes.io/service-account-token")
    door.client.apply(changed)
    wait_until(lambda: refused(door, token) == "", what="the warning in place of the refusal")
