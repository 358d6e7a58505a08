"""The platform's scheduling order."""

import pytest

from components.priority_class import DEFAULT_PRIORITY_CLASSES, priority_class_manifest

pytestmark = pytest.mark.unit


def test_the_way_in_goes_before_agents_and_batch_work_pushes_nobody_off() -> None:
    order = sorted(DEFAULT_PRIORITY_CLASSES, key=lambda name: -DEFAULT_PRIORITY_CLASSES[name].value)
    assert order == [
        "agentic-gateway",
        "agentic-data",
        "agentic-serving",
        "agentic-agents",
        "agentic-batch",
    ]
    batch = priority_class_manifest("agentic-batch", DEFAULT_PRIORITY_CLASSES["agentic-batch"])
    assert batch["preemptionPolicy"] == "Never"


def test_no_class_is_everybodys_default() -> None:
    for name, config in DEFAULT_PRIORITY_CLASSES.items():
        assert priority_class_manifest(name, config)["globalDefault"] is False
