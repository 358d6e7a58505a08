"""Every object that the program makes for a stack, against a real API server with the real CRDs."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest

from components.admission_policies import NAME_PREFIX
from components.admission_rules import POLICY
from local.kube import ApiError
from local.preview import missing_crds
from tests.api_server.admission_cases import KEEP
from tests.api_server.admission_cases import pod as pod_with
from tests.engine.deployment import kinds_of
from tests.harness.api_server import ApiServer
from tests.harness.manifests import identity, manifests
from tests.harness.processes import wait_until
from tests.infra.platforms import AUTO_MODE, STACKS

pytestmark = pytest.mark.api_server

MADE_FIRST = ("Namespace", "PriorityClass", "ServiceAccount", "CustomResourceDefinition")
WITHOUT_SCHEMA = {AUTO_MODE: {"NodeClass general-nodeclass", "NodeClass gpu-nodeclass"}}
"""EKS Auto Mode's own kind: AWS publishes no CRD of it."""
WITH_TOKEN = {
    "model-from-body": "its framework asks for the API server's address; its account has no Role"
}
"""Pods and accounts that mount a token, and why."""
OURS, EXACT = "ai-agents", "process.local/c:1.0.0"
BREAKS_ONE = {
    "image-exact": pod_with(namespace=OURS, image="process.local/c:latest"),
    "container-resources": pod_with(namespace=OURS, image=EXACT, resources={}),
    "do-not-disrupt": pod_with(namespace=OURS, image=EXACT, annotations=KEEP),
}
"""Pods by the policy that each breaks: of several the API server names any one."""
TEMPLATES = ("Deployment", "DaemonSet", "StatefulSet", "Job")


@cache
def known(server: ApiServer, stack: str) -> ApiServer:
    """The server with the kinds of the stack's charts, its namespaces and what its Pods name."""
    server.load_crds(*missing_crds(kinds_of(stack)))
    for manifest in manifests(stack):
        if manifest["kind"] in MADE_FIRST:
            server.client.apply(manifest)
    return server


@contextmanager
def policies_of(server: ApiServer, stack: str) -> Iterator[None]:
    """With the stack's own admission policies in force, where it has any; gone afterwards."""
    found = [it for it in manifests(stack) if it["kind"].startswith(POLICY)]
    # Another file's tests may have made the namespaces anew, without the label of the policies.
    spaces = [it for it in manifests(stack) if it["kind"] == "Namespace"]
    names = {it["metadata"]["name"] for it in found}
    wanted = {it for it in BREAKS_ONE if NAME_PREFIX + it in names}

    def in_force() -> set[str]:
        return {name for name in BREAKS_ONE if refuses(server, name)}

    for manifest in (*spaces, *found):
        server.client.apply(manifest)
    try:
        wait_until(lambda: in_force() == wanted, what=f"policies {sorted(wanted)} in force")
        yield
    finally:
        for it in reversed(found):
            server.client.delete(it["apiVersion"], it["kind"], it["metadata"]["name"])
        wait_until(lambda: not in_force(), what="policies gone")


def refuses(server: ApiServer, name: str) -> bool:
    """Whether that policy refuses the Pod that breaks it and no other."""
    return NAME_PREFIX + name in str(refusals(server, iter([BREAKS_ONE[name]])))


def refusals(server: ApiServer, objects: Iterator[dict[str, Any]]) -> dict[str, str]:
    found = {}
    for manifest in objects:
        try:
            server.dry_run(manifest)
        except ApiError as error:
            found[identity(manifest)] = str(error)
    return found


# prod stands for the others, which differ from it in data
ALL = [it if it == "prod" else pytest.param(it, marks=pytest.mark.slow) for it in STACKS]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("stack", ALL)
def test_the_api_server_takes_every_object_of_a_stack_strictly(
    api_server: ApiServer, stack: str
) -> None:
    server = known(api_server, stack)
    listed = manifests(stack)
    without = WITHOUT_SCHEMA.get(stack, set())
    checked = [each for each in listed if identity(each) not in without]
    assert len(checked) == len(listed) - len(without) > 5
    with policies_of(server, stack):
        assert refusals(server, iter(checked)) == {}
        assert refusals(server, pods(stack)) == {}


def pods(stack: str) -> Iterator[dict[str, Any]]:
    """A Pod for each template, as the workload's controller would make it."""
    for manifest in manifests(stack):
        if manifest["kind"] in TEMPLATES:
            template = manifest["spec"]["template"]
            name = f"{manifest['metadata']['name']}-pod"
            metadata = {
                "name": name[-60:].lstrip("-"),
                "namespace": manifest["metadata"]["namespace"],
                "labels": template["metadata"].get("labels", {}),
            }
            yield {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": metadata,
                "spec": template["spec"],
            }


@pytest.mark.parametrize("stack", ["prod", "local"])
def test_admission_lets_every_pod_of_a_stack_into_its_namespace(
    api_server: ApiServer, stack: str
) -> None:
    server = known(api_server, stack)
    found = list(pods(stack))
    assert len(found) > 4
    assert refusals(server, iter(found)) == {}


def test_the_same_pods_are_refused_once_they_ask_for_privileges(api_server: ApiServer) -> None:
    server = known(api_server, "prod")
    asked = 0
    for pod in pods("prod"):
        if pod["metadata"]["namespace"] == "ai-inference":
            continue
        containers = pod["spec"]["containers"]
        greedy = [{**containers[0], "securityContext": {"privileged": True}}, *containers[1:]]
        with pytest.raises(ApiError, match="violates PodSecurity"):
            server.dry_run(pod | {"spec": pod["spec"] | {"containers": greedy}})
        asked += 1
    assert asked


@pytest.mark.parametrize("stack", ["prod", "local"])
def test_no_pod_gets_a_token_of_the_api_server_that_it_did_not_ask_for(stack: str) -> None:
    with_token = {
        pod["metadata"]["name"].removesuffix("-pod")
        for pod in pods(stack)
        if pod["spec"].get("automountServiceAccountToken") is not False
    }
    with_token |= {
        each["metadata"]["name"]
        for each in manifests(stack)
        if each["kind"] == "ServiceAccount"
        and each.get("automountServiceAccountToken") is not False
    }
    assert with_token <= set(WITH_TOKEN)
    bound = [each["subjects"] for each in manifests(stack) if each["kind"] == "RoleBinding"]
    named = {it["name"] for subjects in bound for it in subjects if it["kind"] != "Group"}
    assert not named & set(WITH_TOKEN)


def test_an_unknown_field_is_refused_in_every_kind_of_a_stack(api_server: ApiServer) -> None:
    server = known(api_server, "prod")
    kinds = {each["kind"]: each | {"agenticUnknown": 1} for each in manifests("prod")}
    said = refusals(server, iter(kinds.values()))
    silent = [it for it in map(identity, kinds.values()) if "agenticUnknown" not in said[it]]
    assert silent == []
