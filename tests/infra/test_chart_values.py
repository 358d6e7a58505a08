"""Our values against the charts themselves, where a Go module carries a chart's sources.

Helm takes any key and drops what no template reads, so a misspelt or renamed one shows nowhere
else. The other charts were looked at by hand: docs/charts.md says at which commit.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from components.gpu_support import dra_driver_values
from components.versions import CHARTS
from infra import stack
from infra.config import kind_of, parse
from local.paths import Cache
from local.report import Progress
from local.toolchain import CHART_TOOLS, cached, go
from tests.harness.cloud import CALLER, cloud_outputs
from tests.harness.recording import Recording, record
from tests.infra.platforms import BROUGHT, IMAGE_MIRROR, built, state_folder
from tests.infra.stack_data import platform_data
from tools.render_charts.helm import Helm
from tools.render_charts.manifests import objects
from tools.render_charts.release import Release, api_versions

pytestmark = [pytest.mark.services, pytest.mark.slow]

REGION = "us-west-2"


class Module(NamedTuple):
    """A Go module by its checksum."""

    name: str
    checksum: str


KARPENTER = Module(
    "github.com/aws/karpenter-provider-aws@v1.14.1",
    "h1:WGtIQTQcxpElYMdWfWuPwaF2+9muR+hYhPZsTtoY8Gs=",
)
KGATEWAY = Module(
    "github.com/kgateway-dev/kgateway/v2@v2.4.2",
    "h1:ZlmXRT8tE0so3HG/c1gZuP1NJCNOm8TsyS5zPx0MS44=",
)
"""The newest of 2.4 that the module proxy has; the chart is 2.4.4."""
CERT_MANAGER = Module(
    "github.com/cert-manager/cert-manager@v1.21.1",
    "h1:0LttV37Q5c2CBNoHkjuI8sLKTXWZDC2SwQkxrBMKV9w=",
)
CILIUM = Module(
    "github.com/cilium/cilium@v1.20.0",
    "h1:ChjrRtiDjtLKe0FkygGTMxEIUtqQh5lEXZL+bLfeb1I=",
)
DRA_DRIVER = Module(
    "sigs.k8s.io/dra-driver-nvidia-gpu@v0.4.1",
    "h1:up4wTyW4UxLDB8I+pDOhQ1+F3Ol2f/qHgN4v6vlcPEc=",
)
AGENTGATEWAY = Module(
    "github.com/agentgateway/agentgateway@v1.4.1",
    "h1:1W5YhPZa4V3YA9GUiwlSqp1j+O7QrDfs8IEERErafHs=",
)
SOURCES: dict[str, tuple[Module, str]] = {
    "agentgateway": (AGENTGATEWAY, "controller/install/helm/agentgateway"),
    "agentgateway-crds": (AGENTGATEWAY, "controller/install/helm/agentgateway-crds"),
    "cert-manager": (CERT_MANAGER, "deploy/charts/cert-manager"),
    "cilium": (CILIUM, "install/kubernetes/cilium"),
    "karpenter": (KARPENTER, "charts/karpenter"),
    "karpenter-crd": (KARPENTER, "charts/karpenter-crd"),
    "kgateway": (KGATEWAY, "install/helm/kgateway"),
    "kgateway-crds": (KGATEWAY, "install/helm/kgateway-crds"),
    "nvidia-dra-driver-gpu": (DRA_DRIVER, "deployments/helm/dra-driver-nvidia-gpu"),
}
OWN_IMAGES = re.compile(r"\bimage: \"?([^\s\"]+)")


@pytest.fixture(scope="module")
def charts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each chart's folder, free to be written to."""
    toolchain = go.find((1, 25), Cache.default(), Progress(as_json=True))
    folder = tmp_path_factory.mktemp("charts")
    found = {}
    for chart, (module, path) in SOURCES.items():
        done = subprocess.run(
            [toolchain.program, "mod", "download", "-json", module.name],
            cwd=folder,
            env=toolchain.environment(temporary=folder),
            capture_output=True,
            text=True,
            check=True,
        )
        answer = json.loads(done.stdout)
        assert answer["Sum"] == module.checksum
        found[chart] = folder / chart
        shutil.copytree(Path(answer["Dir"]) / path, found[chart], copy_function=shutil.copyfile)
        for each in (found[chart], *found[chart].rglob("*")):
            each.chmod(0o755 if each.is_dir() else 0o644)
        _complete(found[chart] / "Chart.yaml")
    return found


def _complete(chart: Path) -> None:
    """What a project's release script writes: a version, where the sources have none."""
    settings = yaml.safe_load(chart.read_text())
    if not re.match(r"v?\d+\.\d+\.\d+", str(settings.get("version"))):
        settings["version"] = "1.0.0"
        chart.write_text(yaml.safe_dump(settings))


@cache
def _with_agentgateway() -> Recording:
    data = platform_data("prod")
    data["gateway"]["variant"] = "agentgateway"
    with state_folder():
        config = parse(data, kind_of(data), region=REGION)
        return record(lambda: stack.build(config, REGION), answers=CALLER, outputs=cloud_outputs)


def given_to(chart: str) -> Iterator[dict[str, Any]]:
    """The values that any of our stacks gives to that chart."""
    if chart == "nvidia-dra-driver-gpu":
        yield dra_driver_values()
    for recording in (built("prod"), built("dev"), built(BROUGHT), _with_agentgateway()):
        for release in recording.of_type("helm.sh/v3:Release"):
            if str(release.inputs["chart"]).rpartition("/")[2] == CHARTS[chart].name:
                yield json.loads(json.dumps(release.inputs["values"], default=str))


def unknown(values: Any, defaults: Any, text: str, at: str = "") -> Iterator[str]:
    """Paths of keys that the chart's values.yaml has neither set nor shown in a comment."""
    if not isinstance(values, dict):
        return
    for key, value in values.items():
        path = f"{at}.{key}".lstrip(".")
        if not isinstance(defaults, dict) or key not in defaults:
            if not re.search(rf"^\s*#\s*{re.escape(key)}:", text, re.MULTILINE):
                yield path
        elif defaults[key]:
            yield from unknown(value, defaults[key], text, path)


@pytest.mark.parametrize("chart", SOURCES)
def test_the_chart_knows_every_value_that_we_set(chart: str, charts: dict[str, Path]) -> None:
    file = charts[chart] / "values.yaml"
    text = file.read_text() if file.is_file() else ""
    defaults = yaml.safe_load(text) or {}
    pinned = CHARTS[chart].version.lstrip("v")
    older = SOURCES[chart][0] is KGATEWAY
    assert older or SOURCES[chart][0].name.endswith(f"@v{pinned}")
    sets = [*given_to(chart)]
    assert sets, "no stack installs it"
    assert [path for values in sets for path in unknown(values, defaults, text)] == []


@pytest.mark.parametrize("chart", SOURCES)
def test_helm_renders_the_chart_with_our_values(
    chart: str, charts: dict[str, Path], tmp_path: Path
) -> None:
    helm = Helm(cached(CHART_TOOLS, Cache.default())["helm"], tmp_path)
    for values in given_to(chart):
        release = Release(
            name=chart,
            chart=chart,
            repository="",
            version="",
            namespace="somewhere",
            values=json.dumps(values),
            with_definitions=False,
            kubernetes="1.34.0",
            api_versions=api_versions(["gateway-api", "prometheus-operator", "cert-manager"]),
        )
        helm.archives["", chart, ""] = charts[chart]
        rendered = helm.render(release)
        assert objects(rendered)
        if IMAGE_MIRROR in json.dumps(values):
            images = {*OWN_IMAGES.findall(rendered)}
            assert images
            assert {it for it in images if not it.startswith(IMAGE_MIRROR)} == set()


def test_a_key_that_a_chart_does_not_have_is_found() -> None:
    text = "a: {b: 1, free: {}}\n# shown: true\n"
    defaults = yaml.safe_load(text)
    values = {"a": {"b": 2, "c": 3, "free": {"any": 1}}, "shown": 1, "d": {}}
    assert [*unknown(values, defaults, text)] == ["a.c", "d"]
