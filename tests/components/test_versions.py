"""Every version stands under a line that a dependency bot reads."""

import re
from pathlib import Path

import pytest

from components import versions
from components.versions import CHARTS, CRD_BUNDLES, EKS_ADDONS, IMAGES, KUBE_PROXY_ADDON

pytestmark = pytest.mark.unit

LINES = Path(versions.__file__).read_text("utf-8").splitlines()
VERSION = re.compile(r'"[^"]*?v?\d+\.\d+[^"]*"|"al2023@v\d+"')
BOT = re.compile(r"# renovate: datasource=[\w-]+ depName=\S+")


def line_of(text: str) -> int:
    (index,) = [number for number, line in enumerate(LINES) if text in line]
    return index


@pytest.mark.parametrize("name", [*CHARTS, *EKS_ADDONS, *IMAGES])
def test_a_bot_can_move_it(name: str) -> None:
    entry = next(number for number, line in enumerate(LINES) if line.startswith(f'    "{name}": '))
    assert BOT.search(LINES[entry - 1]), LINES[entry - 1]


def test_a_bot_can_move_definitions_kube_proxy_and_node_images() -> None:
    pinned = [it.version for it in CRD_BUNDLES.values()]
    pinned += [*KUBE_PROXY_ADDON.values(), versions.NODE_AMI]
    for version in pinned:
        assert BOT.search(LINES[line_of(f'"{version}"') - 1]), version


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_is_pinned_to_one_version(name: str) -> None:
    assert re.fullmatch(r"v?\d+\.\d+\.\d+(-[\w.]+)?", CHARTS[name].version)


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_is_pinned_and_never_latest(name: str) -> None:
    tag = IMAGES[name].rpartition(":")[2]
    assert re.search(r"\d", tag)
    assert tag != "latest"
