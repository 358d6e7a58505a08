"""KEDA's release."""

from typing import Any

import pytest

from components.autoscaling_operator import AutoscalingOperator, AutoscalingOperatorConfig
from tests.harness.recording import record

pytestmark = pytest.mark.unit


def test_keda_has_a_namespace_of_its_own() -> None:
    def build() -> dict[str, Any]:
        operator = AutoscalingOperator("keda", config=AutoscalingOperatorConfig(replicas=3))
        return {"namespace": operator.namespace}

    recording = record(build)
    release = recording.of_type("helm.sh/v3:Release")[0].inputs
    assert release["namespace"] == "keda"
    assert release["values"]["operator"]["replicaCount"] == 3
    assert recording.values == {"namespace": "keda"}
