"""Pinned charts, and the file that pins everything."""

import inspect
import re
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi_kubernetes.helm.v3 import ReleaseArgs
from pydantic.alias_generators import to_camel

from components import versions
from components.helm_chart import HelmChart, pinned_chart, release_spec
from components.versions import CHARTS
from tests.harness.recording import record

pytestmark = pytest.mark.unit

SOURCE = Path(versions.__file__).read_text("utf-8").splitlines()


@pytest.mark.parametrize("name", CHARTS)
def test_every_chart_names_one_exact_version(name: str) -> None:
    assert re.fullmatch(r"v?\d+\.\d+\.\d+", CHARTS[name].version)


@pytest.mark.parametrize("name", CHARTS)
def test_no_pin_is_kept_for_a_chart_that_no_component_installs(name: str) -> None:
    here = Path(versions.__file__)
    sources = [file.read_text("utf-8") for file in here.parent.glob("*.py") if file != here]
    assert any(f'"{name}"' in source for source in sources)


def test_no_chart_or_image_comes_from_bitnami() -> None:
    assert not [line for line in SOURCE if "bitnami" in line.lower()]


def test_no_image_floats() -> None:
    for image in versions.IMAGES.values():
        assert not image.endswith(":latest")
        assert ":" in image.rsplit("/", 1)[1]


def test_an_unknown_chart_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ValueError, match="Did you mean 'karpenter'"):
        pinned_chart("karpentr")


def test_a_chart_in_a_registry_is_named_in_full_and_one_in_a_repository_by_name() -> None:
    oci = release_spec(CHARTS["karpenter"], namespace="n", values={})
    assert oci["chart"] == "oci://public.ecr.aws/karpenter/karpenter"
    assert "repositoryOpts" not in oci
    web = release_spec(CHARTS["keda"], namespace="n", values={})
    assert (web["chart"], web["repositoryOpts"]["repo"]) == ("keda", CHARTS["keda"].repository)


def test_a_mirror_replaces_every_repository() -> None:
    spec = release_spec(CHARTS["keda"], namespace="n", values={}, mirror="oci://mirror.example/c/")
    assert spec["chart"] == "oci://mirror.example/c/keda"
    assert "repositoryOpts" not in spec


def test_a_release_waits_for_what_its_component_was_told_to_wait_for() -> None:
    def build() -> dict[str, Any]:
        first = pulumi.CustomResource("test:index:First", "first")
        waits = pulumi.ResourceOptions(depends_on=[first])
        chart = HelmChart("keda", chart="keda", namespace="keda", values={"a": 1}, opts=waits)
        return {"first": first.urn, "chart": chart.urn, "release": chart.release.urn}

    made = record(build)
    assert {made.values["first"], made.values["chart"]} <= made.waits[made.values["release"]]
    (release,) = made.of_type("helm.sh/v3:Release")
    assert release.inputs["values"] == {"a": 1}
    assert release.inputs["version"] == CHARTS["keda"].version
    known = {to_camel(each) for each in inspect.signature(ReleaseArgs).parameters}
    assert set(release.inputs) <= known
