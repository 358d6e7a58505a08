"""The platform's own stacks, whole: made, unchanged, drifted, repaired, edited, gone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.paths import CHECKOUT
from tests.engine.deployment import Deployment, short
from tests.engine.golden_urns import golden
from tests.engine.leftovers import IN_ORDER, Leftovers
from tests.engine.stack_edits import EDITS, apply_edits, expected_steps
from tests.infra.platforms import AUTO_MODE, data_of

pytestmark = pytest.mark.engine

# the whole environments take a minute or two each: `make test-stacks`; tests/e2e has `local` up,
# unchanged and down in every run
WHOLE = (
    pytest.param("local", marks=pytest.mark.slow),
    pytest.param("dev", marks=pytest.mark.slow),
    pytest.param("prod", marks=pytest.mark.slow),
    pytest.param(AUTO_MODE, marks=pytest.mark.slow),
)
KEPT = ["PersistentVolume", "PersistentVolumeClaim"]
"""Of the leftovers, where data stays on AWS."""
DELETABLE = ("NetworkPolicy", "Service", "ConfigMap")


@pytest.fixture
def deployment(
    request: pytest.FixtureRequest, cluster: Path, tmp_path: Path
) -> Iterator[Deployment]:
    """The stack of the test's parameter, its kinds known; no stack file of the checkout changes."""
    files = {file: file.read_bytes() for file in CHECKOUT.glob("Pulumi*.yaml")}
    made = Deployment(request.param, tmp_path / "state", cluster)
    made.load_crds()
    yield made
    made.client.close()
    assert {file: file.read_bytes() for file in files} == files


@pytest.mark.timeout(900)
@pytest.mark.parametrize("deployment", ["tenant-a", *WHOLE], indirect=True)
def test_a_stack_is_made_stays_is_repaired_and_leaves_nothing(deployment: Deployment) -> None:
    there = deployment.namespaces()
    on_aws = deployment.name not in ("local", "tenant-a")
    # only AWS makes what nobody knows before the update
    unknown = deployment.run("preview", AGENTIC_STANDIN_PREVIEW="unknown") if on_aws else None
    made = deployment.run("up", "--yes", "--skip-preview")
    assert made.changes["create"] >= (unknown.changes["create"] if unknown else 2) > 1
    assert set(golden(deployment.name)) <= set(deployment.urns())
    assert not _in_clear(deployment)

    # That nothing else differs than what was changed by hand is that nothing differed before.
    _drift_is_found_and_repaired(deployment, there)

    if deployment.name in EDITS:
        _edits_take_the_expected_steps(deployment)
    if data_of(deployment.name).get("protect"):
        _protected_things_stay(deployment)
        # The program runs in a destroy and says anew what is protected, so the file has to change.
        deployment.configure(data_of(deployment.name) | {"protect": False})
    _goes(deployment, with_hooks=on_aws)
    assert deployment.namespaces() == there
    assert deployment.urns() == []


def _goes(deployment: Deployment, *, with_hooks: bool) -> None:
    """A cluster of the stack's own takes with it what nobody's state knows, in order."""
    if not with_hooks:
        deployment.run("destroy", "--yes", "--skip-preview")
        return
    refused = deployment.attempt("destroy", "--yes", "--skip-preview")
    assert "the program is not running. Hooks: " in "\n".join(refused.errors)
    left = Leftovers(deployment)
    left.leave()
    with left.watched() as seen:
        destroyed = deployment.run("destroy", "--yes", "--skip-preview", "--run-program")
    kept = KEPT if data_of(deployment.name)["retainOnDelete"] else []
    assert left.remaining() == kept
    freed = [kind for kind in IN_ORDER if kind not in kept]
    # Nothing orders the nodes of Auto Mode and its disks: AWS runs both drivers.
    assert seen.kinds == freed if deployment.name != AUTO_MODE else {*seen.kinds} == {*freed}
    told = "\n".join(destroyed.notices)
    assert "goes: waiting for Service default/left-behind to go" in told
    assert ("vol-0123456789abcdef0 of default/left-behind" in told) == bool(kept)


def _in_clear(deployment: Deployment) -> list[str]:
    """Names of generated secrets whose text lies in the state."""
    state = deployment.exported()
    files = [file for file in deployment.state.secrets.iterdir() if file.is_file()]
    texts = {file.name: file.read_text().strip() for file in files}
    return [name for name, text in texts.items() if text and text in state]


def _drift_is_found_and_repaired(deployment: Deployment, there: set[str]) -> None:
    """One object is deleted by hand, another one changed."""
    client = deployment.client
    name = min(deployment.namespaces() - there)
    victim = next(
        found
        for kind in DELETABLE
        for found in client.list(_group(kind), kind)
        if "pulumi.com/stand-in" in (found["metadata"].get("annotations") or {})
    )
    where = (victim["metadata"]["name"], victim["metadata"].get("namespace"))
    client.delete(victim["apiVersion"], victim["kind"], *where)
    by_hand = {"metadata": {"labels": {"app.kubernetes.io/part-of": "somebody-else"}}}
    client.patch("v1", "Namespace", name, by_hand)
    drifted = deployment.changed("preview", "--refresh")
    said = sorted(f"{operation} {short(urn)}" for urn, operation in drifted.items())
    # A build's context is the checkout: a file that changes meanwhile is a step of its own.
    assert [it.split()[:2] for it in said] == [["create", victim["kind"]], ["update", "Namespace"]]
    deployment.run("up", "--yes", "--skip-preview", "--refresh")
    assert client.get(victim["apiVersion"], victim["kind"], *where)
    assert deployment.changed("preview", "--refresh") == {}


def _edits_take_the_expected_steps(deployment: Deployment) -> None:
    """All edits at once: they touch different resources, so none can hide another's steps."""
    deployment.configure(apply_edits(deployment.name, data_of(deployment.name)))
    steps = deployment.changed("preview")
    found = sorted(f"{operation} {short(urn)}" for urn, operation in steps.items())
    assert found == expected_steps(deployment.name)
    deployment.configure(data_of(deployment.name))


def _protected_things_stay(deployment: Deployment) -> None:
    before = deployment.urns()
    # Without its preview a destroy takes what is not protected before it is refused the rest.
    refused = deployment.attempt("destroy", "--yes", "--run-program")
    assert not refused.ok
    assert "protected" in "\n".join(refused.errors)
    assert deployment.urns() == before


def _group(kind: str) -> str:
    return "networking.k8s.io/v1" if kind == "NetworkPolicy" else "v1"
