"""The facts about instance types that pools, sizing and cost read."""

import re

import pytest

from inference.instances import instance_table

pytestmark = pytest.mark.unit


def test_the_architectures_types_hold_what_the_architecture_says() -> None:
    table = instance_table()
    held = {
        name: (table.types[name].gpus, table.types[name].gpu)
        for name in ("p4d.24xlarge", "p5.48xlarge", "g5.48xlarge")
    }
    assert held == {
        "p4d.24xlarge": (8, "A100-40GB"),
        "p5.48xlarge": (8, "H100"),
        "g5.48xlarge": (8, "A10G"),
    }


def test_every_type_is_offered_somewhere_and_gpus_have_memory() -> None:
    for name, facts in instance_table().types.items():
        assert facts.zones, name
        assert all(letters == "".join(sorted(set(letters))) for letters in facts.zones.values())
        assert (facts.gpu is None) == (facts.gpus == 0) == (facts.gpu_memory_mib == 0), name
        assert facts.usd_per_hour is None or facts.usd_per_hour > 0


def test_prices_carry_their_day_region_and_source() -> None:
    table = instance_table()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", table.price_date)
    assert table.price_region in table.regions
    assert table.price_source


def test_a_region_without_a_type_is_told_from_a_region_that_nobody_knows() -> None:
    table = instance_table()
    assert table.offered("p4d.24xlarge", "us-west-2") is True
    assert table.offered("p4d.24xlarge", "eu-south-1") is False
    assert table.offered("p4d.24xlarge", "moon-north-1") is None
    assert table.offered("z9.nano", "us-west-2") is None
    assert "eu-south-1" not in table.regions_of("p4d.24xlarge")


def test_only_gpus_with_the_hardware_for_it_can_be_split() -> None:
    types = instance_table().types
    assert types["p5.48xlarge"].mig
    assert not types["g5.48xlarge"].mig
    assert not types["m6i.large"].mig
