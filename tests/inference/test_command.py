"""`python -m inference` as a person calls it."""

import json

import pytest

from inference.command import main

pytestmark = pytest.mark.unit


def test_the_catalogue_spans_the_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) >= 20
    assert all(row["source"].startswith("https://") for row in rows)
    sizes = [float(row["parameters"][:-1]) for row in rows if row["kind"] == "chat"]
    assert min(sizes) <= 0.3
    assert max(sizes) >= 670


def test_a_table_names_instance_and_price(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["size", "qwen3-32b", "--context", "16384", "--concurrency", "8"]) == 0
    text = capsys.readouterr().out
    assert "qwen3-32b" in text
    assert "usdPerMillionTokens" in text
    assert "on-demand prices of" in text


def test_the_whole_catalogue_is_sized_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["size", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["model"] for row in rows} >= {
        "deepseek-r1",
        "gpt-oss-120b",
        "mixtral-8x7b-instruct",
    }
    assert all(row["maxSequences"] >= 16 for row in rows)


def test_every_mistake_is_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["size", "qwen3-32b", "deepseek-r1", "--context", "200000"]
    assert main(asked) == 2
    assert capsys.readouterr().err.splitlines() == [
        "error: model 'qwen3-32b' supports 40960 tokens of context, not 200000",
        "error: model 'deepseek-r1' supports 163840 tokens of context, not 200000",
    ]


def test_unknown_names_are_answered_with_near_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["size", "qwen3-32"]) == 2
    assert "did you mean 'qwen3-32b'?" in capsys.readouterr().err
    assert main(["size", "--instances", "g5.48xlarg,m5.large"]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert "'g5.48xlarg' is unknown; near it: g5.48xlarge" in first
    assert "'m5.large' is unknown" in second or "has no GPU" in second


def test_a_region_without_the_type_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["size", "qwen3-32b", "--instances", "p5.48xlarge", "--region", "eu-south-2"]) == 2
    assert "'p5.48xlarge' is not offered in eu-south-2; it is in" in capsys.readouterr().err


def test_numbers_that_are_none_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for asked in (["--concurrency", "0"], ["--context", "x"], ["--utilization", "2"]):
        with pytest.raises(SystemExit):
            main(["size", "qwen3-32b", *asked])
        assert repr(asked[1]) in capsys.readouterr().err
