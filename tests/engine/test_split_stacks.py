"""Prod as a foundation and a platform: made, unchanged, edited apart, taken down in order."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from infra.contract import OUTPUT
from local.control_plane import ControlPlane, lease
from local.paths import Cache
from local.toolchain import cached
from tests.engine.deployment import Deployment, short
from tests.engine.golden_urns import golden
from tests.infra.platforms import FOUNDATION, ON_FOUNDATION, data_of

pytestmark = [pytest.mark.engine, pytest.mark.slow]

COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager")
APPLY = ("--yes", "--skip-preview")
DESTROY = ("destroy", *APPLY, "--run-program")


class Cluster:
    """The API server of both stacks, which can be out of reach for a while."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._running = ExitStack()
        self.kubeconfig = Path()

    def start(self) -> None:
        self.kubeconfig = self._running.enter_context(self._plane.running()).kubeconfig

    def stop(self) -> None:
        self._running.close()


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    state = tmp_path_factory.mktemp("split")
    slot = lease(Cache.default(), owner=state)
    tools = cached(COMPONENTS, Cache.default())
    made = Cluster(
        ControlPlane(state, tools, slot=slot, unsafe_no_fsync=True, components=COMPONENTS)
    )
    try:
        made.start()
        yield made
    finally:
        made.stop()
        slot.release()


@pytest.fixture
def ground(cluster: Cluster, tmp_path: Path) -> Iterator[Deployment]:
    made = Deployment(FOUNDATION, tmp_path / "state", cluster.kubeconfig)
    made.load_crds()
    yield made
    made.client.close()


@pytest.fixture
def platform(ground: Deployment, cluster: Cluster) -> Iterator[Deployment]:
    made = Deployment(ON_FOUNDATION, ground.state.root, cluster.kubeconfig)
    made.load_crds()
    yield made
    made.client.close()


def changes(stack: Deployment) -> list[str]:
    """The steps that a preview finds, without the reading of the other stack."""
    steps = stack.changed("preview")
    return sorted(
        f"{operation} {short(urn)}" for urn, operation in steps.items() if operation != "read"
    )


@pytest.mark.timeout(1200)
def test_two_stacks_live_apart_and_go_in_order(
    cluster: Cluster, ground: Deployment, platform: Deployment
) -> None:
    there = ground.namespaces()
    _a_platform_without_its_foundation_is_refused(platform)

    # A foundation on an empty account: nobody knows its addresses yet.
    assert ground.run("preview", AGENTIC_STANDIN_PREVIEW="unknown").changes["create"] > 100
    ground.run("up", *APPLY)
    platform.run("up", *APPLY)
    assert {*golden(FOUNDATION)} <= {*ground.urns()}
    assert {*golden(ON_FOUNDATION)} <= {*platform.urns()}
    assert (changes(ground), changes(platform)) == ([], [])

    _an_agents_edit_touches_the_platform_alone(ground, platform)
    _a_new_address_of_the_cluster_replaces_nothing(ground, platform)
    cluster.stop()
    _the_ground_can_be_worked_on_without_the_cluster(ground)
    cluster.start()
    _the_foundation_goes_last(ground, platform)
    assert ground.namespaces() == there
    assert (ground.urns(), platform.urns()) == ([], [])


def _a_platform_without_its_foundation_is_refused(platform: Deployment) -> None:
    refused = platform.attempt("preview")
    (line,) = refused.errors
    assert line.startswith("cluster.stack.name: got 'organization/agentic-platform/prod-foundation")
    assert f"run `pulumi up --stack {FOUNDATION}` with this version of the program first" in line


def _an_agents_edit_touches_the_platform_alone(ground: Deployment, platform: Deployment) -> None:
    data = data_of(ON_FOUNDATION)
    data["scalers"]["agent-scaler"]["maxReplicas"] += 1
    platform.configure(data)
    assert changes(platform) == ["update ScaledObject agent-scaler-scaler"]
    assert changes(ground) == []
    platform.configure(data_of(ON_FOUNDATION))


def _a_new_address_of_the_cluster_replaces_nothing(
    ground: Deployment, platform: Deployment
) -> None:
    exported = ground.state.root / "export.json"
    ground.run("stack", "export", "--file", str(exported))
    before = exported.read_text(encoding="utf-8")
    state = json.loads(before)
    output = _stack_of(state)["outputs"][OUTPUT]["cluster"]
    kubeconfig = json.loads(output["kubeconfig"])
    kubeconfig["clusters"][0]["cluster"]["server"] = "https://moved.recorded.invalid"
    output["kubeconfig"] = json.dumps(kubeconfig)
    _restore(ground, json.dumps(state))
    assert changes(platform) == ["update kubernetes kubernetes"]
    _restore(ground, before)
    assert changes(platform) == []


def _stack_of(state: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(
        it for it in state["deployment"]["resources"] if it["type"] == "pulumi:pulumi:Stack"
    )
    return found


def _restore(stack: Deployment, text: str) -> None:
    file = stack.state.root / "import.json"
    file.write_text(text, encoding="utf-8")
    stack.run("stack", "import", "--file", str(file))


def _the_ground_can_be_worked_on_without_the_cluster(ground: Deployment) -> None:
    """AWS's side of it: preview, refresh and update, while nobody answers for the cluster."""
    data = data_of(FOUNDATION)
    data["objectStorage"]["buckets"]["artifacts"]["expireDays"] += 1
    ground.configure(data)
    ends = ("s3/bucket:Bucket::storage-artifacts", "LifecycleConfiguration::storage-artifacts")
    bucket, rules = (next(it for it in ground.urns() if it.endswith(end)) for end in ends)
    planned = ground.run("preview", "--target", rules)
    assert [it.urn for it in planned.steps if it.operation == "update"] == [rules]
    ground.run("refresh", *APPLY, "--target", bucket)
    ground.run("up", *APPLY, "--target", rules)
    ground.configure(data_of(FOUNDATION))
    ground.run("up", *APPLY, "--target", rules)


def _the_foundation_goes_last(ground: Deployment, platform: Deployment) -> None:
    refused = ground.attempt("destroy", "--yes", "--run-program")
    assert "protected" in "\n".join(refused.errors)
    for stack in (ground, platform):
        # A destroy that runs the program goes by what the program protects.
        stack.configure(data_of(stack.name) | {"protect": False})
    refused = ground.attempt(*DESTROY)
    assert "destroy that stack first" in "\n".join(refused.errors), refused.errors
    assert any(it.endswith("eks:index:Cluster::cluster") for it in ground.urns())
    ground.run("up", *APPLY)
    platform.run(*DESTROY)
    ground.run(*DESTROY)
