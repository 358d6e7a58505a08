"""The dashboards and alerts name the runtime's metrics as the runtime does."""

import re

import pytest

from agent_runtime.telemetry.metrics import Metrics
from components.alert_rules import alert_groups
from components.dashboard import DASHBOARDS, dashboard

pytestmark = pytest.mark.unit


def exported() -> set[str]:
    names: set[str] = set()
    for family in Metrics("agent").registry.collect():
        suffixes = {
            "counter": ("_total",),
            "histogram": ("_bucket", "_sum", "_count"),
        }.get(family.type, ("",))
        names |= {family.name + suffix for suffix in suffixes}
    return names


def test_every_agent_metric_that_is_asked_for_is_exported() -> None:
    expressions = [
        target["expr"]
        for name in DASHBOARDS
        for panel in dashboard(name)["panels"]
        for target in panel["targets"]
    ]
    expressions += [rule["expr"] for group in alert_groups() for rule in group["rules"]]
    asked = {name for each in expressions for name in re.findall(r"\bagent_[a-z_]+", each)}
    assert asked
    assert asked <= exported(), sorted(asked - exported())
