"""The real Milvus server for tests: the program of the wheel `milvus`, kept in the cache.

Version 2.3.5 of January 2024 (Apache-2.0) is the newest that the Python registry has of the server
itself; the stack's chart deploys 2.6. It holds etcd, the coordinators and all nodes in one process.
"""

import lzma
import shutil
from pathlib import Path

import pytest

from local.paths import Cache
from local.report import UserError
from local.toolchain import disk, wheels
from local.toolchain.recipes import Wheel, WheelBinary
from local.toolchain.search import machine
from local.toolchain.store import Store

PROGRAM, TEMPLATE = "milvus", "config.yaml.template"
_LIBRARIES = (
    *("libatomic.so.1", "libblob-chunk-manager.so", "libgcc_s.so.1", "libgflags_nothreads.so.2.2"),
    *("libgfortran.so.5", "libglog.so.1", "libgomp.so.1", "libhwloc.so.15", "libknowhere.so"),
    *("libmilvus_common.so", "libmilvus_index.so", "libmilvus_indexbuilder.so"),
    *("libmilvus_segcore.so", "libmilvus_storage.so", "libopenblas.so.0", "libquadmath.so.0"),
    *("librdkafka++.so.1", "librdkafka.so.1", "libresolv.so.2", "librocksdb.so.6"),
    *("libstdc++.so.6", "libtbb.so.12", "libz.so.1"),
)
PACKAGE = WheelBinary(
    name="milvus-server",
    version="2.3.5",
    wheel=Wheel(
        "milvus",
        "2.3.5",
        ("69515a0630ce29fd10e101fa442afea8ca1387b93a456cd9bd41fdf3deb93d04",),
    ),
    binaries=(PROGRAM, TEMPLATE, "glog.conf", *_LIBRARIES),
    archives=(),
    disk_mib=500,
)


def milvus_folder() -> Path:
    """Where the program, its libraries and its settings lie; skips the test where it can't be had.

    57 MB are fetched once; the registry's file is checked by hash, the unpacked ones at each use.
    """
    if machine() != "x86_64":
        pytest.skip(f"the registry has a Milvus server for x86_64 only, this is {machine()}")
    store = Store(Cache.default())
    try:
        with store.exclusive(PACKAGE.name):
            found = store.find(PACKAGE) or _unpacked(store)
    except UserError as reason:
        pytest.skip(str(reason))
    return found[PROGRAM].parent


def _unpacked(store: Store) -> dict[str, Path]:
    disk.require_free({store.root: PACKAGE.disk_mib}, f"unpacking {PACKAGE.name}")
    with store.draft(PACKAGE) as draft:
        wheels.unpack(PACKAGE.wheel, draft / "wheel", Cache.default())
        data, result = draft / "wheel" / "milvus" / "data", draft / "result"
        result.mkdir()
        for name in PACKAGE.binaries:
            packed = data / "bin" / f"{name}.lzma"
            if not packed.exists():
                shutil.copy(data / name, result / name)
                continue
            with lzma.open(packed) as source, (result / name).open("wb") as target:
                shutil.copyfileobj(source, target)
        return store.publish(PACKAGE, result)
