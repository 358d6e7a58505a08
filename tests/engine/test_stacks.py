"""The platform's own stacks, whole: made, unchanged, drifted, repaired, gone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local import secrets
from local.control_plane import ControlPlane, lease
from local.crds import load
from local.engine import Engine, EngineResult
from local.kube import KubeClient
from local.paths import CHECKOUT, Cache, State
from local.preview import missing_crds
from local.preview.outcome import Verdict
from local.toolchain import cached
from tests.harness.engine import FAST, pulumi

pytestmark = pytest.mark.engine

COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager")
# the two whole environments take minutes each: `make test-stacks`
STACKS = (
    "local",
    "tenant-a",
    pytest.param("dev", marks=pytest.mark.slow),
    pytest.param("prod", marks=pytest.mark.slow),
)
DELETABLE = ("NetworkPolicy", "Service", "ConfigMap")
BUILT_IN = {"default", "kube-system", "kube-public", "kube-node-lease"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An API server of these stacks' own: their namespaces have fixed names."""
    state = tmp_path_factory.mktemp("stacks")
    slot = lease(Cache.default(), owner=state)
    tools = cached(COMPONENTS, Cache.default())
    plane = ControlPlane(state, tools, slot=slot, unsafe_no_fsync=True, components=COMPONENTS)
    try:
        with plane.running() as running:
            yield running.kubeconfig
    finally:
        slot.release()


class Deployment:
    """One of the checkout's stacks with a state of its own."""

    def __init__(self, stack: str, folder: Path, kubeconfig: Path) -> None:
        self.stack = stack
        self.state = State(folder)
        self.state.make()
        secrets.ensure(self.state.secrets)
        self.state.kubeconfig.symlink_to(kubeconfig)
        self.client = KubeClient.from_kubeconfig(kubeconfig)
        self.engine = Engine(CHECKOUT, self.state, {"pulumi": pulumi()}, kubeconfig=kubeconfig)
        self.original = CHECKOUT / f"Pulumi.{stack}.yaml"
        file = folder / self.original.name
        file.write_text(self.original.read_text().replace(".local/", f"{folder}/"))
        self.engine.ensure_stack(stack, config_file=file)

    def run(self, *args: str, **environment: str) -> EngineResult:
        result = self.engine.run(*args, stack=self.stack, environment=FAST | environment)
        assert result.ok, result.errors
        return result

    def load_crds(self) -> None:
        """Those that the charts of the stack would bring: a stand-in installs no charts."""
        report = self.state.root / "report"
        self.run("preview", AGENTIC_STANDIN_REPORT=str(report))
        verdicts = [Verdict.parse(line) for line in report.read_text().splitlines()]
        if needed := missing_crds(verdicts):
            load(self.state.kubeconfig, needed, cache=Cache.default())

    def changed(self, *args: str) -> dict[str, str]:
        result = self.run(*args)
        quiet = ("same", "refresh")
        return {s.urn: s.operation for s in result.steps if s.operation not in quiet}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_is_made_stays_is_repaired_and_leaves_nothing(
    stack: str, cluster: Path, tmp_path: Path
) -> None:
    deployment = Deployment(stack, tmp_path / "state", cluster)
    client = deployment.client
    before = deployment.original.read_bytes()
    there = {o["metadata"]["name"] for o in client.list("v1", "Namespace")}
    deployment.load_crds()

    unknown = deployment.run("preview", AGENTIC_STANDIN_PREVIEW="unknown")
    made = deployment.run("up", "--yes", "--skip-preview")
    assert made.changes["create"] >= unknown.changes["create"] > 1
    assert deployment.changed("preview", "--refresh") == {}

    namespaces = [o for o in client.list("v1", "Namespace") if o["metadata"]["name"] not in there]
    victim = next(
        found
        for kind in DELETABLE
        for found in client.list(_group(kind), kind)
        if "pulumi.com/stand-in" in (found["metadata"].get("annotations") or {})
    )
    client.delete(victim["apiVersion"], victim["kind"], *_where(victim))
    by_hand = {"metadata": {"labels": {"app.kubernetes.io/part-of": "somebody-else"}}}
    client.patch("v1", "Namespace", namespaces[0]["metadata"]["name"], by_hand)
    drifted = deployment.changed("preview", "--refresh")
    assert sorted(drifted.values()) == ["create", "update"]

    deployment.run("up", "--yes", "--skip-preview", "--refresh")
    assert client.get(victim["apiVersion"], victim["kind"], *_where(victim))
    assert deployment.changed("preview", "--refresh") == {}

    deployment.engine.run("state", "unprotect", "--all", "--yes", stack=stack)
    deployment.run("destroy", "--yes", "--skip-preview")
    assert {o["metadata"]["name"] for o in client.list("v1", "Namespace")} == there
    assert deployment.original.read_bytes() == before
    client.close()


def _group(kind: str) -> str:
    return "networking.k8s.io/v1" if kind == "NetworkPolicy" else "v1"


def _where(found: dict[str, dict[str, str]]) -> tuple[str, str | None]:
    return found["metadata"]["name"], found["metadata"].get("namespace")
