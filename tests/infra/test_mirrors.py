"""Air-gapped stacks: with mirrors set, nothing names a public registry any more."""

import re
from collections.abc import Iterator
from typing import Any

import pulumi
import pytest

from components.helm_chart import HelmChart
from components.mirror import chart_images, full_reference, mirrored, with_values
from components.versions import CHARTS, IMAGES
from infra.config import PlatformConfig, parse
from infra.mirrors import mirror_options
from tests.harness.cloud import ACCOUNT
from tests.harness.recording import Recording, Secret, record
from tests.infra.platforms import BROUGHT, CHART_MIRROR, IMAGE_MIRROR, built
from tests.infra.stack_data import platform_data

pytestmark = pytest.mark.unit

PUBLIC = re.compile(
    r"(?<![\w.-])((?:[\w-]+\.)*(?:docker\.io|docker\.com|quay\.io|ghcr\.io|gcr\.io|k8s\.io|nvcr\.io|"
    r"public\.ecr\.aws|kgateway\.dev|agentgateway\.dev|istio\.io|langfuse\.com|github\.com|"
    r"github\.io|githubusercontent\.com|bitnami\.com|googleapis\.com|cilium\.io|jetstack\.io|"
    r"external-secrets\.io|ngc\.nvidia\.com|valkey\.io))/"
)


def texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every string with the path to it."""
    if isinstance(value, Secret):
        yield from texts(value.value, path)
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from texts(each, f"{path}.{key}")
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from texts(each, f"{path}[{index}]")
    elif isinstance(value, str):
        yield path, value


def fetched(made: Recording) -> Iterator[tuple[str, str]]:
    """Everything that a cluster or a Helm client would fetch: images, charts, manifests."""
    for it in made.resources:
        if not it.type.startswith("kubernetes:"):
            continue
        for path, text in texts(it.inputs):
            of_chart = it.type.endswith(":Release") and not path.startswith(".description")
            if of_chart or path.endswith((".image", ".file", ".repo", ".hub")):
                yield f"{it.type} {it.name}{path}", text


def test_with_mirrors_no_public_registry_is_named_anywhere() -> None:
    public = []
    for where, text in fetched(built(BROUGHT)):
        copies = ("harbor.corp/", "files.corp/")
        public += [
            f"{where}: {text[:120]}"
            for found in PUBLIC.finditer(text)
            if not any(copy in text[: found.start()] for copy in copies)
        ]
    assert public == []


def test_every_chart_comes_from_the_mirror_at_its_pinned_version() -> None:
    plain = {it.name: it.inputs for it in built("prod").of_type(":Release")}
    mirrored_charts = {it.name: it.inputs for it in built(BROUGHT).of_type(":Release")}
    assert mirrored_charts.keys() == plain.keys() | {"cilium"}
    for name, inputs in mirrored_charts.items():
        assert inputs["chart"].startswith(f"{CHART_MIRROR}/"), name
        assert "repositoryOpts" not in inputs, name
        assert inputs["version"] == plain.get(name, inputs)["version"]


def test_values_of_a_chart_keep_everything_but_their_images() -> None:
    (controller,) = [it for it in built(BROUGHT).of_type(":Release") if it.name == "karpenter"]
    (plain,) = [it for it in built("prod").of_type(":Release") if it.name == "karpenter"]
    values = dict(controller.inputs["values"])
    image = values["controller"].pop("image")
    assert image == {"repository": f"{IMAGE_MIRROR}/public.ecr.aws/karpenter/controller"}
    assert values == plain.inputs["values"]


def test_images_of_our_own_objects_come_from_the_mirror_too() -> None:
    images = {text for where, text in fetched(built(BROUGHT)) if where.endswith(".image")}
    assert any(it.startswith(f"{IMAGE_MIRROR}/docker.io/vllm/") for it in images), images
    own = {it for it in images if not it.startswith(IMAGE_MIRROR)}
    assert {it.split("/")[0] for it in own} == {f"{ACCOUNT}.dkr.ecr.us-west-2.amazonaws.com"}


def test_the_stacks_own_ecr_can_be_the_mirror() -> None:
    host = f"{ACCOUNT}.dkr.ecr.us-west-2.amazonaws.com"
    data = platform_data("prod") | {"imageMirror": "registry://"}
    config = parse(data, PlatformConfig, region="us-west-2")

    def build() -> dict[str, Any]:
        opts = mirror_options(config, own_registry=pulumi.Output.from_input(host))
        HelmChart("keda", chart="keda", namespace="keda", values={"crds": {}}, opts=opts)
        return {}

    (keda,) = record(build).of_type(":Release")
    assert keda.inputs["values"]["image"]["keda"]["registry"] == f"{host}/ghcr.io"


def test_without_mirrors_nothing_changes() -> None:
    (keda,) = [it for it in built("prod").of_type(":Release") if it.name == "keda"]
    assert "image" not in keda.inputs["values"]


def test_every_pinned_chart_says_where_its_images_come_from() -> None:
    assert chart_images().keys() == CHARTS.keys()
    for name, images in chart_images().items():
        if not name.endswith(("-crds", "-crd", "-base")):
            assert images, name
        for upstream in images.values():
            assert "." in upstream.split("/")[0], f"{name}: {upstream} has no host"


def test_nothing_comes_from_bitnami() -> None:
    everything = [*IMAGES.values(), *(it.repository for it in CHARTS.values())]
    everything += [it for images in chart_images().values() for it in images.values()]
    assert not [it for it in everything if "bitnami" in it]


@pytest.mark.parametrize(
    ("image", "full"),
    [
        ("postgres:17", "docker.io/library/postgres:17"),
        ("valkey/valkey", "docker.io/valkey/valkey"),
        ("quay.io/a/b:1", "quay.io/a/b:1"),
        ("localhost:5000/a", "localhost:5000/a"),
    ],
)
def test_a_reference_without_a_host_is_docker_hubs(image: str, full: str) -> None:
    assert full_reference(image) == full


@pytest.mark.parametrize(
    "image",
    [
        "process.local/agent-runtime:dev",
        "1.dkr.ecr.us-west-2.amazonaws.com/a",
        "m.corp/x/quay.io/a",
    ],
)
def test_private_and_mirrored_references_stay(image: str) -> None:
    assert mirrored(image, "m.corp/x") == image


def test_values_are_laid_upon_each_other_map_by_map() -> None:
    under = {"a": {"b": 1, "c": [1]}, "d": 1}
    assert with_values(under, {"a": {"b": 2}, "d": {"e": 1}}) == {
        "a": {"b": 2, "c": [1]},
        "d": {"e": 1},
    }
    assert under["a"] == {"b": 1, "c": [1]}, "the component's own values stay as they are"


def test_a_chart_mirror_without_copies_of_the_definitions_is_refused() -> None:
    data = platform_data("prod") | {"chartMirror": CHART_MIRROR}
    with pytest.raises(pulumi.RunError, match=r"manifestMirror: got null; with chartMirror"):
        parse(data, PlatformConfig, region="us-west-2")
