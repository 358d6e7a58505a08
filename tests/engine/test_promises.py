"""docs/stand-ins.md promises nothing without a test."""

import re

import pytest

from local.paths import CHECKOUT

pytestmark = pytest.mark.unit

DOCUMENT = CHECKOUT / "docs" / "stand-ins.md"
ROW = re.compile(r"^\| (?!promise|---)(?P<promise>.+) \| (?P<tests>[^|]+) \|$")


def promises() -> list[tuple[str, list[str]]]:
    text = DOCUMENT.read_text(encoding="utf-8")
    section = text[text.index("## Promises") : text.index("## Where they differ")]
    found = (ROW.match(line) for line in section.splitlines())
    return [(row["promise"], re.findall(r"`(\w+)`", row["tests"])) for row in found if row]


def test_each_promise_names_tests_that_exist() -> None:
    sources = "\n".join(file.read_text() for file in (CHECKOUT / "tests/engine").glob("test_*.py"))
    there = set(re.findall(r"^def (test_\w+)\(", sources, re.MULTILINE))
    listed = promises()
    assert len(listed) > 20
    for promise, tests in listed:
        assert tests, f"no test is named for: {promise}"
        assert set(tests) <= there, f"{promise}: no such test: {sorted(set(tests) - there)}"
