import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from local.paths import Cache
from local.report import UserError
from local.toolchain import disk
from local.toolchain.build import explain
from local.toolchain.pins import TOOLS
from local.toolchain.recipes import GoBuild
from local.toolchain.search import on_path
from local.toolchain.store import Store

pytestmark = pytest.mark.unit


@pytest.fixture
def recipe(tmp_path: Path) -> GoBuild:
    module = tmp_path / "module"
    module.mkdir()
    (module / "go.mod").write_text("module example.test/program\n\ngo 1.25.0\n")
    (module / "go.sum").write_text("")
    return GoBuild("program", "1.0.0", module, ("program",), (".",), disk_mib=1)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(Cache(tmp_path / "cache"))
    store.root.mkdir(parents=True)
    return store


def publish(store: Store, recipe: GoBuild, content: str = "#!/bin/sh\n") -> Path:
    with store.draft(recipe) as draft:
        result = draft / "result"
        result.mkdir()
        (result / "program").write_text(content)
        return store.publish(recipe, result)["program"]


def test_a_published_program_is_found_and_executable(store: Store, recipe: GoBuild) -> None:
    program = publish(store, recipe)
    assert store.find(recipe) == {"program": program}
    assert os.access(program, os.X_OK)


def test_nothing_is_found_before_the_first_build(store: Store, recipe: GoBuild) -> None:
    assert store.find(recipe) is None


@pytest.mark.parametrize(
    "harm",
    [
        lambda program: program.write_text("#!/bin/true\n"),
        lambda program: os.truncate(program, 3),
        lambda program: program.unlink(),
        lambda program: program.chmod(0o644),
        lambda program: (program.parent / "manifest.json").write_text("{"),
        lambda program: (program.parent / "manifest.json").unlink(),
    ],
    ids=["edited", "truncated", "missing", "not executable", "manifest cut", "no manifest"],
)
def test_a_damaged_entry_is_not_used_and_is_replaced(
    harm: Callable[[Path], object], store: Store, recipe: GoBuild
) -> None:
    program = publish(store, recipe)
    harm(program)
    assert store.find(recipe) is None
    assert publish(store, recipe) == program
    assert store.find(recipe) == {"program": program}


def test_a_copied_entry_with_other_times_is_accepted_by_its_hash(
    store: Store, recipe: GoBuild
) -> None:
    program = publish(store, recipe)
    os.utime(program, (1, 1))
    assert store.find(recipe) == {"program": program}
    # from here on its times are known, so that the next use is quick again
    assert '"mtime_ns": 1000000000' in (program.parent / "manifest.json").read_text()


def test_changed_checksums_of_modules_make_another_entry(store: Store, recipe: GoBuild) -> None:
    publish(store, recipe)
    (recipe.module / "go.sum").write_text("example.test/other v1.0.0 h1:abc=\n")
    assert store.find(recipe) is None


def test_two_checkouts_share_an_entry(store: Store, recipe: GoBuild, tmp_path: Path) -> None:
    program = publish(store, recipe)
    other = tmp_path / "other"
    other.mkdir()
    for name in ("go.mod", "go.sum"):
        (other / name).write_text((recipe.module / name).read_text())
    assert store.find(replace(recipe, module=other)) == {"program": program}


def test_what_a_killed_build_left_goes_with_the_next_one(store: Store, recipe: GoBuild) -> None:
    left = store.root / ".making-program-killed"
    (left / "locked").mkdir(parents=True)
    (left / "locked" / "file").write_text("half")
    (left / "locked").chmod(0o500)
    publish(store, recipe)
    assert [path.name for path in store.root.iterdir()] == ["program"]


def test_a_failed_build_leaves_nothing(store: Store, recipe: GoBuild) -> None:
    def interrupted() -> None:
        with store.draft(recipe) as draft:
            (draft / "half").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(store.root.iterdir()) == []


def program_on_path(folder: Path, name: str, script: str) -> Path:
    folder.mkdir()
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return program


def test_a_program_on_path_is_used_only_in_an_accepted_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = program_on_path(tmp_path / "old", "kube-apiserver", "echo Kubernetes v1.32.1")
    broken = program_on_path(tmp_path / "broken", "kube-apiserver", "exit 127")
    right = program_on_path(tmp_path / "right", "kube-apiserver", "echo Kubernetes v1.34.9")
    folders = [str(program.parent) for program in (old, broken, right)]
    monkeypatch.setenv("PATH", os.pathsep.join(folders[:2]))
    assert on_path(TOOLS["kube-apiserver"]) is None
    monkeypatch.setenv("PATH", os.pathsep.join(folders))
    assert on_path(TOOLS["kube-apiserver"]) == right


@pytest.mark.parametrize(
    ("tool", "printed", "accepted"),
    [
        ("pulumi", "v3.250.0", True),
        ("pulumi", "v3.251.0", False),
        ("pulumi", "v3.250.0-dev", False),
        ("etcd", "etcd Version: 3.6.5\nGit SHA: x", True),
        ("etcd", "etcd Version: 3.4.9", False),
        ("kubectl", "Client Version: v1.34.5\nKustomize Version: v5.7.1", True),
        ("kubectl", "Client Version: v1.32.4-dispatcher", False),
        ("kwok", "kwok version v0.7.0 go1.26.0 (linux/amd64)", True),
        ("kwok", "kwok version v0.7.1 go1.26.0 (linux/amd64)", False),
    ],
)
def test_version_rules(tool: str, printed: str, accepted: bool) -> None:  # noqa: FBT001 - a table
    pattern = TOOLS[tool].accepted
    assert pattern is not None
    assert bool(pattern.search(printed)) is accepted


def test_a_program_that_tells_no_version_is_never_taken_from_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = program_on_path(tmp_path / "any", "keda-operator", "echo 2.20.2")
    monkeypatch.setenv("PATH", str(program.parent))
    assert on_path(TOOLS["keda-operator"]) is None


def test_a_full_disk_is_said_with_what_is_needed_and_free(tmp_path: Path) -> None:
    status = os.statvfs(tmp_path)
    free = status.f_bavail * status.f_frsize // disk.MIB
    disk.require_free({tmp_path / "not" / "there": 1}, "building x")
    # two folders on one disk add up, though each alone would fit
    half = free // 2 + 100
    with pytest.raises(UserError) as refused:
        disk.require_free({tmp_path / "a": half, tmp_path / "b": half}, "building x")
    assert len(refused.value.lines) == 1
    assert f"needs about {2 * half} MiB" in str(refused.value)
    assert "XDG_CACHE_HOME" in str(refused.value)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("x.go: write /tmp/b1/_pkg_.a: no space left on device", "the disk is full"),
        ('go: a@v1: Get "https://h/a": dial tcp: lookup h: no such host', "GOPROXY"),
        ("go: a@v1: reading https://h/a.zip: 503 Service Unavailable", "GOPROXY"),
        ("verifying a@v1: checksum mismatch\n\tdownloaded: h1:x", "refused"),
        ("compile: signal: killed", "want of memory"),
        ("main.go:3:1: syntax error", "syntax error"),
    ],
)
def test_each_way_a_build_fails_is_one_line_with_the_way_out(
    output: str, said: str, recipe: GoBuild
) -> None:
    line = explain(recipe, output, Path("build.log"))
    assert said in line
    assert "\n" not in line
    assert line.startswith("program 1.0.0: ")
