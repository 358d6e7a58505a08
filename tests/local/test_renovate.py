"""Each pinned version is found by exactly one manager of `.github/renovate.json`.

Renovate 44.121.2 itself takes the same 65 versions out of this checkout
(`renovate --platform=local --dry-run=extract`) and calls the file valid
(`renovate-config-validator --strict`); it needs Node and 440 MB, so it is run by hand.
"""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from components.versions import KUBE_PROXY_ADDON, KUBERNETES_VERSION
from local.node_agent.node import KUBELET_VERSION
from local.paths import CHECKOUT
from local.toolchain.pins import KUBERNETES, TOOLS
from local.toolchain.recipes import GoBuild

pytestmark = pytest.mark.unit

CONFIG: dict[str, Any] = json.loads((CHECKOUT / ".github/renovate.json").read_text("utf-8"))
CODE = ("components", "infra", "inference", "agents", "agent_runtime", "local", "tools")
PINNED_FILES = ("components/versions.py", "local/toolchain/pins.py")
VERSION = re.compile(r"v?\d+(\.\d+)+[\w.+-]*|[0-9a-f]{8}|al2023@v\d+")
MAYBE_IMAGE = re.compile(r"[\"'][a-z0-9.-]+/[^\"'\s]*:")
IMAGE = re.compile(r"([a-z0-9.-]+/)+[\w.-]+:[\w.-]*\d[\w.-]*")
OF_THIS_MACHINE = "process.local/"
WINDOW = "KUBERNETES_VERSIONS"
KNOWN_INPUTS = {
    "actions/setup-python": "python-version",
    "actions/setup-go": "go-version",
    "pulumi/actions": "pulumi-version",
}
"""What Renovate's manager of workflows reads beside `uses` (its known-actions)."""


class Found(NamedTuple):
    """One dependency that a custom manager takes out of a file."""

    line: int
    """Where its value stands."""
    comment: str
    fields: dict[str, str]

    @property
    def value(self) -> str:
        return self.fields["currentValue"]


def _python(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace("(?<", "(?P<"))


MANAGERS = [
    (
        [_python(each.strip("/")) for each in manager["managerFilePatterns"]],
        [_python(each) for each in manager["matchStrings"]],
    )
    for manager in CONFIG["customManagers"]
]


def found_in(path: str, text: str) -> list[Found]:
    """What every manager takes out of the file; two managers with the same thing give it twice."""
    return [
        Found(
            text.count("\n", 0, it.start("currentValue")) + 1, it[0].split("\n")[0], it.groupdict()
        )
        for patterns, strings in MANAGERS
        if any(pattern.search(path) for pattern in patterns)
        for string in strings
        for it in string.finditer(text)
    ]


def sources() -> Iterator[tuple[str, str]]:
    for folder in CODE:
        for file in sorted((CHECKOUT / folder).rglob("*.py")):
            yield file.relative_to(CHECKOUT).as_posix(), file.read_text("utf-8")


def pins_of(path: str, text: str) -> Iterator[tuple[int, str]]:
    """Line and text of every constant that pins something; keys and the window pin nothing."""
    if path not in PINNED_FILES and not MAYBE_IMAGE.search(text):
        return
    tree = ast.parse(text)
    keys: set[ast.AST | None] = {
        key for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == WINDOW:
            keys |= {*ast.walk(node)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or node in keys:
            continue
        pinned = IMAGE.fullmatch(node.value) and not node.value.startswith(OF_THIS_MACHINE)
        if pinned or (path in PINNED_FILES and VERSION.fullmatch(node.value)):
            yield node.lineno, node.value


def unread(path: str, text: str) -> list[str]:
    """Pins that no manager, or more than one, reads."""
    found = found_in(path, text)
    lines = text.splitlines()
    wrong = []
    for line, value in pins_of(path, text):
        times = sum(it.line == line and it.value in value for it in found)
        follows = "# follows " in lines[line - 2]
        if times != (0 if follows else 1):
            wrong.append(f"{path}:{line}: {value}: read {times} times")
    return wrong


def test_every_pin_is_read_by_exactly_one_manager() -> None:
    assert [line for path, text in sources() for line in unread(path, text)] == []


@pytest.mark.parametrize(
    "text",
    [
        'KUBERNETES_VERSION: Final = "1.34"\n',
        '# renovate: datasource=docker depname=x.io/a\nA = "x.io/a:v1"',
        '# renovate: datasource=docker depName=x.io/a\n\nA = "x.io/a:v1"',
    ],
)
def test_a_pin_without_a_line_that_is_read_is_told(text: str) -> None:
    assert unread("components/versions.py", text)


def test_every_line_for_renovate_leads_to_one_version() -> None:
    for path, text in sources():
        found = found_in(path, text)
        for line in re.findall(r"# renovate: .*", text):
            meant = [it for it in text.splitlines() if it.endswith(line)]
            assert sum(it.comment == line for it in found) == len(meant), f"{path}: {line}"


def test_what_follows_a_file_has_its_version() -> None:
    followed = 0
    for path, text in sources():
        for file, value in re.findall(r"# follows ([\w./-]+/[\w.-]+).*\n.*[\":](\w+)\"", text):
            followed += 1
            assert value in (CHECKOUT / file).read_text("utf-8"), f"{path}: {value}"
    assert followed == 2


def test_add_ons_are_looked_up_for_the_kubernetes_they_run_on() -> None:
    text = (CHECKOUT / "components/versions.py").read_text("utf-8")
    addons = [
        it for it in found_in("components/versions.py", text) if "kubernetesVersion" in it.fields
    ]
    for it in addons:
        proxied = [minor for minor, version in KUBE_PROXY_ADDON.items() if version == it.value]
        assert [it.fields["kubernetesVersion"]] == (proxied or [KUBERNETES_VERSION])
    assert len(addons) == 8


def test_a_tool_has_the_version_of_its_go_module() -> None:
    for tool in TOOLS.values():
        if isinstance(tool.recipe, GoBuild):
            modules = (tool.recipe.module / "go.mod").read_text("utf-8")
            direct = re.search(r"^require \S+ v\S*", modules, re.MULTILINE)
            assert direct, tool.name
            assert tool.recipe.version in direct[0], tool.name
    assert KUBELET_VERSION.startswith(f"v{KUBERNETES}-")


def test_workflows_pin_nothing_that_renovate_does_not_know() -> None:
    for file in (CHECKOUT / ".github/workflows").glob("*.yml"):
        for job in yaml.safe_load(file.read_text("utf-8"))["jobs"].values():
            for step in job["steps"]:
                action = step.get("uses", "").partition("@")[0]
                versions = [key for key in step.get("with", {}) if key.endswith("-version")]
                assert versions in ([], [KNOWN_INPUTS.get(action)]), f"{file.name}: {action}"


def test_uv_is_moved_in_every_file_that_names_it() -> None:
    named = {
        path
        for path in ("tools/bootstrap.sh", "agent_runtime/Dockerfile")
        if found_in(path, (CHECKOUT / path).read_text("utf-8"))
    }
    assert named == {"tools/bootstrap.sh", "agent_runtime/Dockerfile"}


def test_nothing_merges_by_itself_and_young_releases_wait() -> None:
    assert '"automerge": true' not in json.dumps(CONFIG)
    assert CONFIG["automerge"] is False
    assert CONFIG["minimumReleaseAge"] == "7 days"
    assert "helpers:pinGitHubActionDigests" in CONFIG["extends"]
    assert {"custom.regex", "gomod", "github-actions", "pep621", "dockerfile"} <= {
        *CONFIG["enabledManagers"]
    }


def test_files_that_are_left_out_exist() -> None:
    for path in CONFIG["ignorePaths"]:
        assert (CHECKOUT / path.removesuffix("/**")).exists(), path
    assert Path(CHECKOUT / "tools/lint/requirements.in").exists()
