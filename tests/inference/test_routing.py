"""The route table: the one source of every gateway's routes, and the mistakes it refuses."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from components.envoy_clusters import backend_clusters, chain_name, chains
from inference.http_route import http_route_spec, object_name, reference_grant_spec
from inference.routing import AgentRoute, Backend, ModelRoute, RouteTable

pytestmark = pytest.mark.unit


def _model(**fields: Any) -> dict[str, Any]:
    return {"name": "m", "backends": [{"service": "a"}]} | fields


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (
            _model(backends=[{"service": "a", "weight": 80}, {"service": "b", "weight": 30}]),
            "the weights 80, 30 sum to 110; they must sum to 100",
        ),
        (_model(backends=[{"service": "a"}, {"service": "b"}]), "sum to 0"),
        (_model(strategy="latency", backends=[{"service": "a", "weight": 100}]), "weight belongs"),
        (_model(strategy="fastest"), "strategy"),
        (_model(backends=[]), "backends"),
        (_model(backends=[{"service": "a", "headers": {"x": "1"}}]), "headers belong"),
        (_model(strategy="header", backends=[{"service": "a"}, {"service": "b"}]), "needs headers"),
        (_model(name="two words"), "name"),
        (_model(name='a"] = 1'), "name"),
        (_model(tenants=["Tenant A"]), "tenants"),
        (_model(paths=["/v1/{x}"]), "paths"),
        (_model(timeout=5), "timeout"),
    ],
)
def test_a_route_that_can_not_work_is_refused(model: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        ModelRoute.model_validate(model)


@pytest.mark.parametrize(
    ("models", "agents", "says"),
    [
        ([_model(), _model()], [], "the name 'm' has 2 routes"),
        ([_model()], [{"name": "m"}], "the name 'm' has 2 routes"),
        ([_model(fallbacks=["m"])], [], "falls back to itself"),
        ([_model(fallbacks=["n"]), _model(name="nn")], [], "no route; did you mean 'nn'"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(
    models: list[Any], agents: list[Any], says: str
) -> None:
    with pytest.raises(ValidationError, match=says):
        RouteTable.model_validate({"models": models, "agents": agents})


def test_a_tenant_may_use_what_no_route_closes_and_what_names_it() -> None:
    table = RouteTable(
        models=(
            ModelRoute(name="open", backends=(Backend(service="a"),)),
            ModelRoute(name="closed", backends=(Backend(service="a"),), tenants=("t",)),
        ),
        agents=(AgentRoute(name="agent"),),
    )
    assert table.allowed("t") == ("open", "closed", "agent")
    assert table.allowed("other") == table.allowed(None) == ("open", "agent")
    assert table.tenants == ("t",)


def test_siblings_stand_in_only_where_fallback_is_asked_for() -> None:
    pair = (Backend(service="a", weight=80), Backend(service="b", weight=20))
    alone = ModelRoute(name="m", backends=pair)
    covered = ModelRoute(name="n", backends=pair, fallbacks=("spare",))
    spare = ModelRoute(name="spare", backends=(Backend(service="c"),))
    table = RouteTable(models=(alone, covered, spare))
    a, b, c = (f"ai-inference/{service}:8000" for service in "abc")
    assert chains(table, alone) == ((a,), (b,))
    assert chains(table, covered) == ((a, b, c), (b, a, c))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["weight", "latency", "fallback"]),
            st.lists(st.sampled_from("abcde"), min_size=1, max_size=4, unique=True),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_every_chain_ends_in_clusters_that_exist(rows: list[tuple[str, list[str]]]) -> None:
    models = []
    for number, (strategy, services) in enumerate(rows):
        weights = [100 // len(services)] * len(services)
        weights[0] += 100 - sum(weights)
        backends = [
            {"service": service} | ({"weight": weight} if strategy == "weight" else {})
            for service, weight in zip(services, weights, strict=True)
        ]
        later = [f"m{number + 1}"] if number + 1 < len(rows) else []
        models.append(
            {
                "name": f"m{number}",
                "strategy": strategy,
                "backends": backends,
                "fallbacks": later,
            }
        )
    table = RouteTable.model_validate({"models": models})
    clusters = backend_clusters(table)
    names = [cluster["name"] for cluster in clusters]
    assert len(names) == len(set(names))
    for model in table.models:
        for chain in chains(table, model):
            assert chain_name(chain) in names
            assert set(chain) <= set(names)
            assert len(set(chain)) == len(chain), "a backend is asked once"


def test_an_http_route_has_sixteen_rules_at_most() -> None:
    models = tuple(
        ModelRoute(name=f"m{number}", backends=(Backend(service="a"),)) for number in range(17)
    )
    with pytest.raises(ValueError, match="17 rules; the Gateway API allows 16"):
        http_route_spec(RouteTable(models=models), gateway="g")


@pytest.mark.parametrize(
    ("public", "name"),
    [("Org/Model-1.5", "org-model-1-5"), ("gpt-4", "gpt-4"), ("a" * 80, "a" * 50), ("x.", "x")],
)
def test_a_public_name_becomes_an_object_name(public: str, name: str) -> None:
    assert object_name(public) == name


def test_a_grant_without_services_would_open_the_namespace() -> None:
    with pytest.raises(ValueError, match="would allow all"):
        reference_grant_spec("ai-inference", [], from_namespace="ai-gateway")
