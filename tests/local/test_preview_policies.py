"""Violations of policies on their way from the engine to a reader."""

import json
from pathlib import Path

import pytest

from local.engine.events import EngineResult, EventReader, Violation
from local.paths import Cache
from local.preview import Outcome
from local.preview.policies import Policies
from local.report import UserError
from local.toolchain.policy_pack import MADE, ensure_environment, home_of, interpreter

pytestmark = pytest.mark.unit

LINE = "k (aws:kms/key:Key): enableKeyRotation is False; allowed: true; switch the rotation on"


def event(level: str, rule: str = "kms-rotation") -> str:
    told = {
        "policyName": rule,
        "message": f"<{{%fg 1%}}>Every KMS key rotates.\n{LINE}<{{%reset%}}>\n",
        "enforcementLevel": level,
    }
    return json.dumps({"policyEvent": told})


def read(*lines: str) -> EngineResult:
    reader = EventReader()
    reader.read(lines)
    reader.result.ok = True
    return reader.result


def test_a_violation_is_read_once_with_its_rule_and_level() -> None:
    result = read(event("mandatory"), event("mandatory"), event("advisory", "stack-size"))
    assert result.violations == [
        Violation("kms-rotation", mandatory=True, line=LINE),
        Violation("stack-size", mandatory=False, line=LINE),
    ]


def test_a_mandatory_violation_fails_a_preview_and_an_advisory_one_is_told() -> None:
    assert Outcome("prod", read()).ok
    assert Outcome("prod", read(event("advisory"))).ok
    assert not Outcome("prod", read(event("mandatory"))).ok


def test_a_violation_is_shown_in_every_form() -> None:
    outcome = Outcome("prod", read(event("advisory", "stack-size"), event("mandatory")))
    told = f"mandatory  kms-rotation  {LINE}"
    assert outcome.violation_lines() == [told, f"advisory   stack-size  {LINE}"]
    assert f"Policies:\n  {told}\n" in outcome.text()
    assert f"### Policies\n````text\n{told}\n" in outcome.markdown()
    assert outcome.as_json()["violations"] == [
        {"rule": "stack-size", "mandatory": False, "line": LINE},
        {"rule": "kms-rotation", "mandatory": True, "line": LINE},
    ]
    assert outcome.as_json()["ok"] is False


def test_a_pack_and_its_settings_are_arguments_of_the_cli(tmp_path: Path) -> None:
    assert Policies(tmp_path).arguments() == ("--policy-pack", str(tmp_path))
    config = tmp_path / "c.json"
    assert Policies(tmp_path, config).arguments()[2:] == ("--policy-pack-config", str(config))


def test_an_environment_is_there_for_one_lock_only(tmp_path: Path) -> None:
    pack, cache = tmp_path / "pack", Cache(tmp_path / "cache")
    pack.mkdir()
    (pack / "uv.lock").write_text("one")
    assert interpreter(pack, cache) is None
    home = _made(pack, cache)
    assert interpreter(pack, cache) == home / "venv" / "bin" / "python"
    (pack / "uv.lock").write_text("two")
    assert interpreter(pack, cache) is None
    own = pack / ".venv" / "bin"
    own.mkdir(parents=True)
    (own / "python").touch()
    assert interpreter(pack, cache) == own / "python"


def _made(pack: Path, cache: Cache) -> Path:
    """The folder of the environment, as `ensure_environment` leaves it."""
    home = home_of(pack, cache)
    home.mkdir(parents=True)
    (home / MADE).touch()
    return home


def test_a_registry_that_is_not_there_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = tmp_path / "pack"
    pack.mkdir()
    failing = tmp_path / "bin" / "uv"
    failing.parent.mkdir()
    failing.write_text("#!/bin/sh\necho 'error: no route to the index' >&2\nexit 2\n")
    failing.chmod(0o700)
    monkeypatch.setenv("PATH", f"{failing.parent}:/usr/bin:/bin")
    with pytest.raises(UserError) as told:
        ensure_environment(pack, Cache(tmp_path / "cache"))
    (line,) = told.value.lines
    assert "no route to the index" in line
    assert "UV_DEFAULT_INDEX" in line
    assert interpreter(pack, Cache(tmp_path / "cache")) is None
