"""An agent's scaling: the architecture's numbers in the fields that KEDA really reads."""

from typing import Any

import pytest

from agents.document import Scaling
from components.agent_operator import AgentOperator, AgentOperatorConfig
from components.agent_scaler import AgentScaler, AgentScalerConfig, manifests, scaled_object_spec
from local.kube import ApiError
from tests.harness.api_server import ApiServer
from tests.harness.recording import record

WIRES: dict[str, Any] = {
    "prometheus_url": "http://prometheus.observability.svc:9090",
    "redis_address": "redis-master.ai-data.svc.cluster.local:6379",
}


def _spec(config: AgentScalerConfig, scaling: Scaling | None = None) -> dict[str, Any]:
    return scaled_object_spec(
        config,
        agent="customer-support-agent",
        scaling=scaling or Scaling(),
        authentication="agent-scaler",
        **WIRES,
    )


def _manifests(spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return manifests(
        "agent-scaler",
        spec,
        agent="customer-support-agent",
        namespace="ai-agents",
        redis_secret="session-store-auth",
    )


@pytest.mark.api_server
def test_the_api_server_accepts_scaler_and_authentication(api_server: ApiServer) -> None:
    api_server.load_crds("keda")
    for manifest in _manifests(_spec(AgentScalerConfig(max_replicas=20))).values():
        api_server.dry_run(manifest)


@pytest.mark.api_server
def test_the_api_server_refuses_more_pods_at_least_than_at_most(api_server: ApiServer) -> None:
    api_server.load_crds("keda")
    manifest = _manifests(_spec(AgentScalerConfig()))["scaler"]
    manifest["spec"] |= {"minReplicaCount": 5, "maxReplicaCount": 4}
    with pytest.raises(ApiError, match="minReplicaCount"):
        api_server.dry_run(manifest)


@pytest.mark.unit
def test_the_scaler_is_the_architectures() -> None:
    spec = _spec(AgentScalerConfig(max_replicas=20))
    assert spec["scaleTargetRef"]["name"] == "customer-support-agent"
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (2, 20)
    assert (spec["pollingInterval"], spec["cooldownPeriod"]) == (15, 300)
    triggers = {trigger["type"]: trigger for trigger in spec["triggers"]}
    assert triggers["redis"]["metadata"]["listName"] == "agent-task-queue"
    assert triggers["redis"]["metadata"]["listLength"] == "10"
    assert triggers["redis"]["metadata"]["address"] == WIRES["redis_address"]
    assert triggers["prometheus"]["metadata"]["threshold"] == "50"
    assert triggers["prometheus"]["metadata"]["serverAddress"] == WIRES["prometheus_url"]
    # The label is the agent's own name: the architecture's `customer-support` finds no series.
    assert triggers["prometheus"]["metadata"]["query"] == (
        'sum(agent_active_sessions{agent="customer-support-agent"})'
    )


@pytest.mark.unit
def test_cpu_and_memory_are_triggers_of_the_one_scaler() -> None:
    scaling = Scaling(min_replicas=3, target_cpu_utilization=60, target_memory_utilization=90)
    spec = _spec(AgentScalerConfig(), scaling)
    busy = [
        (each["type"], each["metricType"], each["metadata"]["value"])
        for each in spec["triggers"]
        if each["type"] in ("cpu", "memory")
    ]
    assert busy == [("cpu", "Utilization", "60"), ("memory", "Utilization", "90")]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (3, 10)


@pytest.mark.unit
def test_every_value_that_keda_reads_is_a_string() -> None:
    for trigger in _spec(AgentScalerConfig())["triggers"]:
        for key, value in trigger["metadata"].items():
            assert isinstance(value, str), key
            assert key != "metricName", "KEDA does not read it"


@pytest.mark.unit
def test_bounds_that_cross_are_refused() -> None:
    with pytest.raises(ValueError, match="minReplicas 2 is above maxReplicas 1"):
        _spec(AgentScalerConfig(max_replicas=1))


@pytest.mark.unit
def test_the_password_comes_from_the_secret() -> None:
    found = _manifests(_spec(AgentScalerConfig()))["authentication"]
    assert found["spec"]["secretTargetRef"] == [
        {"parameter": "password", "name": "session-store-auth", "key": "password"}
    ]


@pytest.mark.unit
def test_the_authority_of_a_store_comes_from_its_secret_and_tls_is_said_once() -> None:
    """KEDA 2.20 refuses a trigger that says TLS in both of its objects."""
    spec = scaled_object_spec(
        AgentScalerConfig(),
        agent="a",
        scaling=Scaling(),
        authentication="agent-scaler",
        redis_tls=True,
        **WIRES,
    )
    found = manifests(
        "agent-scaler",
        spec,
        agent="a",
        namespace="ai-agents",
        redis_secret="session-store-auth",
        redis_ca_secret="redis-master-client-tls",
    )["authentication"]
    given = {each["parameter"]: each for each in found["spec"]["secretTargetRef"]}
    assert given["ca"] == {"parameter": "ca", "name": "redis-master-client-tls", "key": "ca.crt"}
    assert set(given) == {"password", "ca"}
    assert spec["triggers"][0]["metadata"]["enableTLS"] == "true"


@pytest.mark.unit
def test_the_component_makes_both() -> None:
    def build() -> dict[str, Any]:
        scaler = AgentScaler(
            "agent-scaler",
            config=AgentScalerConfig(),
            agent="customer-support-agent",
            scaling=Scaling(),
            namespace="ai-agents",
            redis_secret="session-store-auth",
            **WIRES,
        )
        return {"name": scaler.scaler_name}

    found = record(build)
    assert found.values["name"] == "agent-scaler"
    assert len(found.of_type(":ScaledObject")) == len(found.of_type(":TriggerAuthentication")) == 1


@pytest.mark.unit
def test_the_operator_brings_no_agents_of_its_own_and_its_database_by_secret() -> None:
    def build() -> dict[str, Any]:
        config = AgentOperatorConfig(database_secret="kagent-database")
        operator = AgentOperator("agent-operator", config=config, namespace="kagent")
        return {"namespace": operator.namespace}

    found = record(build)
    releases = {each.inputs["chart"].split("/")[-1]: each for each in found.of_type(":Release")}
    assert list(releases) == ["kagent-crds", "kagent"]
    values = releases["kagent"].inputs["values"]
    assert values["database"]["postgres"]["bundled"] == {"enabled": False}
    assert values["database"]["postgres"]["urlFile"] == "/var/run/kagent/database/url"
    switched = {key: each for key, each in values.items() if key.endswith("-agent")}
    assert switched
    assert all(each == {"enabled": False} for each in switched.values())
