import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from local.crds.lock import LockedFile, Project, locked, select
from local.crds.sources import FOLDER_VARIABLE, Sources
from local.paths import Cache
from local.report import UserError
from tests.harness.http_server import serving

pytestmark = pytest.mark.services

CONTENT = b"---\nkind: CustomResourceDefinition\n"
OTHER = b"---\nkind: Other\n"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    """Empty, and no folder of CRDs beside it."""
    (tmp_path / "folder").mkdir()
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "folder"))
    return Cache(tmp_path / "cache")


@pytest.fixture
def server() -> Iterator[str]:
    asked: list[str] = []

    async def answer(request: Request) -> Response:
        name = request.path_params["name"]
        asked.append(name)
        if name == "cut":
            return StreamingResponse(iter([CONTENT[:5]]), headers={"Content-Length": "36"})
        content = {"whole": CONTENT, "altered": OTHER, "bundle": b"# made\n" + CONTENT + OTHER}
        return Response(content[name], headers={"X-Asked": str(len(asked))})

    with serving(Starlette(routes=[Route("/{name}", answer)])) as url:
        yield url


def locked_file(
    url: str, *, bundled: bool = False, content: bytes = CONTENT
) -> tuple[Project, LockedFile]:
    file = LockedFile(
        file="x.yaml",
        url=url,
        sha256=hashlib.sha256(content).hexdigest(),
        bundled=bundled,
        crds=(),
    )
    project = Project(
        project="x",
        version="v1",
        default=True,
        folder="x-1",
        repository="x/x",
        commit="abc",
        files=(file,),
    )
    return project, file


def test_a_download_is_checked_and_kept(cache: Cache, server: str) -> None:
    project, file = locked_file(f"{server}/whole")
    assert Sources(cache).read(project, file) == ("download", CONTENT)
    assert Sources(cache, network=False).read(project, file) == ("cache", CONTENT)


def test_a_kept_file_that_was_altered_is_refused(cache: Cache, server: str) -> None:
    project, file = locked_file(f"{server}/whole")
    Sources(cache).read(project, file)
    next((cache.downloads / "crds").iterdir()).write_bytes(OTHER)
    with pytest.raises(UserError, match=r"SHA-256 .* refused"):
        Sources(cache).read(project, file)


def test_a_wrong_checksum_is_refused_in_one_line(cache: Cache, server: str) -> None:
    project, file = locked_file(f"{server}/altered")
    with pytest.raises(UserError, match=r"/altered: its SHA-256 is .*lock\.yaml pins.*refused"):
        Sources(cache).read(project, file)
    assert not (cache.downloads / "crds").exists()


def test_a_document_of_a_bundle_is_found_by_its_checksum(cache: Cache, server: str) -> None:
    for content in (CONTENT, OTHER):
        project, file = locked_file(f"{server}/bundle", bundled=True, content=content)
        assert Sources(cache).read(project, file) == ("download", content)
    project, file = locked_file(f"{server}/bundle", bundled=True, content=b"kind: Third\n")
    with pytest.raises(UserError, match=r"no document in it has the SHA-256"):
        Sources(cache).read(project, file)


def test_after_a_cut_download_no_other_address_is_tried(cache: Cache, server: str) -> None:
    sources = Sources(cache)
    project, file = locked_file(f"{server}/cut")
    assert sources.read(project, file) is None
    assert sources.unreachable
    assert "\n" not in sources.unreachable
    project, file = locked_file(f"{server}/whole")
    assert sources.read(project, file) is None
    assert Sources(cache).read(project, file) == ("download", CONTENT)


def test_a_folder_comes_before_the_network_and_is_checked_too(
    cache: Cache, server: str, tmp_path: Path
) -> None:
    project, file = locked_file(f"{server}/altered")
    beside = tmp_path / "folder" / "x-1"
    beside.mkdir()
    (beside / "x.yaml").write_bytes(CONTENT)
    assert Sources(cache).read(project, file) == ("folder", CONTENT)
    (beside / "x.yaml").write_bytes(OTHER)
    with pytest.raises(UserError, match=r"x-1/x\.yaml: its SHA-256 is .*refused"):
        Sources(cache).read(project, file)


def test_a_go_module_that_carries_the_file_is_used(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOMODCACHE", str(tmp_path / "modules"))
    carried = cache.root / "go" / "modules" / "example.test/x@v1.0.0" / "crds" / "x.yaml"
    carried.parent.mkdir(parents=True)
    carried.write_bytes(OTHER)
    project, file = locked_file("http://127.0.0.1:9/x")
    found = file.model_copy(
        update={
            "module_path": "crds/x.yaml",
            "module_sha256": hashlib.sha256(OTHER).hexdigest(),
        }
    )
    with_module = project.model_copy(update={"module": "example.test/x@v1.0.0"})
    assert Sources(cache).read(with_module, found) == ("module", OTHER)


def test_a_folder_that_is_named_must_exist(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, "/no/such/folder")
    with pytest.raises(UserError, match=r"AGENTIC_CRDS=/no/such/folder: no such folder"):
        Sources(cache).read(*locked_file("http://127.0.0.1:9/x"))


def test_the_lock_names_each_file_with_its_commit_and_checksum() -> None:
    projects = locked()
    assert len({project.folder for project in projects}) == len(projects)
    for project in projects:
        defaults = [p for p in projects if p.project == project.project and p.default]
        assert len(defaults) == 1
        for file in project.files:
            assert project.commit in file.url
            assert len(file.sha256) == 64
            assert file.crds
            assert all(crd.versions for crd in file.crds)


def test_a_bare_name_means_the_default_release() -> None:
    assert {project.folder for project, _ in select(["kagent"])} == {"kagent-0.10.0-rc3"}
    assert {project.folder for project, _ in select(["kagent-0.9.12"])} == {"kagent-0.9.12"}
    chosen = select(["nodepools.karpenter.sh", "karpenter", "nodepools.karpenter.sh"])
    assert len(chosen) == len({file.file for _, file in chosen}) == 5


def test_every_unknown_name_has_its_line() -> None:
    with pytest.raises(UserError) as refused:
        select(["gateway-api", "kagnet", "kedaa"])
    assert len(refused.value.lines) == 2
    assert "'kagnet' (there are: gateway-api, " in refused.value.lines[0]
