"""What the embedded services have in common."""

from typing import Any

import pytest

from components import metrics, session_store, tracing, vector_store
from components.embedded_process import (
    EmbeddedProcess,
    claim_manifest,
    deployment_manifest,
    service_manifest,
)

pytestmark = pytest.mark.unit

PROCESSES = {
    "session store": session_store.embedded_process(session_store.EmbeddedSessionStoreConfig()),
    "vector store": vector_store.embedded_process(vector_store.EmbeddedVectorStoreConfig()),
    "tracing": tracing.embedded_process(tracing.EmbeddedTracingConfig()),
    "metrics": metrics.embedded_process(metrics.EmbeddedMetricsConfig()),
}
LAPTOP_CPU_MILLICORES = 300
LAPTOP_MEMORY_MIB = 640


def amount(quantity: str, suffix: str) -> int:
    assert quantity.endswith(suffix), quantity
    return int(quantity.removesuffix(suffix))


def container(process: EmbeddedProcess) -> dict[str, Any]:
    pod = deployment_manifest(process, namespace="n")["spec"]["template"]["spec"]
    only: dict[str, Any] = pod["containers"][0]
    return only


@pytest.mark.parametrize("process", PROCESSES.values(), ids=PROCESSES.keys())
def test_service_deployment_and_volume_belong_together(process: EmbeddedProcess) -> None:
    deployment = deployment_manifest(process, namespace="n")["spec"]
    service = service_manifest(process, namespace="n")["spec"]
    pod = deployment["template"]
    assert service["selector"] == deployment["selector"]["matchLabels"]
    assert service["selector"].items() <= pod["metadata"]["labels"].items()
    ports = {each["name"]: each["containerPort"] for each in container(process)["ports"]}
    assert ports[service["ports"][0]["targetPort"]] == process.port
    claim = claim_manifest(process, namespace="n")["metadata"]["name"]
    assert {"name": "data", "persistentVolumeClaim": {"claimName": claim}} in pod["spec"]["volumes"]


@pytest.mark.parametrize("process", PROCESSES.values(), ids=PROCESSES.keys())
def test_nothing_that_must_survive_lies_in_an_empty_dir(process: EmbeddedProcess) -> None:
    pod = deployment_manifest(process, namespace="n")["spec"]["template"]["spec"]
    assert not [each for each in pod["volumes"] if "emptyDir" in each]
    assert "/data" in [each["mountPath"] for each in container(process)["volumeMounts"]]


@pytest.mark.parametrize("process", PROCESSES.values(), ids=PROCESSES.keys())
def test_two_never_write_the_same_data(process: EmbeddedProcess) -> None:
    spec = deployment_manifest(process, namespace="n")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_together_they_leave_a_laptop_room_for_models_and_agents() -> None:
    requests = [container(process)["resources"]["requests"] for process in PROCESSES.values()]
    assert sum(amount(each["cpu"], "m") for each in requests) <= LAPTOP_CPU_MILLICORES
    assert sum(amount(each["memory"], "Mi") for each in requests) <= LAPTOP_MEMORY_MIB
