"""What Services mean: listeners, backends and names."""

from typing import Any

import pytest

from local.node_agent.hosts import HostName, OwnEntries, render
from local.node_agent.service_table import Listener, PodEndpoint, ServiceTable, service_table
from tests.local.node_agent.samples import container

pytestmark = pytest.mark.unit


def service(name: str, namespace: str = "shop", **spec: Any) -> dict[str, Any]:
    filled = {"clusterIP": "127.96.0.9", "selector": {"app": "web"}, "ports": [{"port": 80}]}
    return {"metadata": {"name": name, "namespace": namespace}, "spec": filled | spec}


def endpoint(name: str, ip: str, *, ready: bool = True, **more: Any) -> PodEndpoint:
    ports = [{"name": "http", "containerPort": 8080}]
    return PodEndpoint(
        namespace="shop",
        name=name,
        labels={"app": "web"},
        ip=ip,
        ready=ready,
        containers=[container(ports=ports)],
        **more,
    )


def table(*services: dict[str, Any], pods: tuple[PodEndpoint, ...] = ()) -> ServiceTable:
    return service_table(services, pods, node_ip="127.64.0.1", api_server=("127.64.0.1", 6443))


def test_ready_pods_are_found_by_selector_and_named_port() -> None:
    found = table(
        service("web", ports=[{"port": 80, "targetPort": "http"}]),
        pods=(
            endpoint("a", "127.128.0.2"),
            endpoint("b", "127.128.0.3", ready=False),
            endpoint("c", "127.128.0.4"),
        ),
    )
    backends = (("127.128.0.2", 8080), ("127.128.0.4", 8080))
    assert found.listeners == [Listener("shop/web", ("127.96.0.9", 80), backends)]


def test_pods_of_another_namespace_or_without_the_port_name_are_not_backends() -> None:
    elsewhere = table(service("web", "other"), pods=(endpoint("a", "127.128.0.2"),))
    assert elsewhere.listeners[0].backends == ()
    unnamed = table(
        service("web", ports=[{"port": 80, "targetPort": "grpc"}]),
        pods=(endpoint("a", "127.128.0.2"),),
    )
    assert unnamed.listeners[0].backends == ()


def test_a_service_without_selector_has_no_backends() -> None:
    found = table(service("web", selector=None), pods=(endpoint("a", "127.128.0.2"),))
    assert found.listeners[0].backends == ()


def test_a_load_balancer_also_listens_at_the_node() -> None:
    found = table(service("web", type="LoadBalancer", ports=[{"port": 18080}]))
    assert [entry.address for entry in found.listeners] == [
        ("127.96.0.9", 18080),
        ("127.64.0.1", 18080),
    ]
    assert found.balanced == {("shop", "web"): "127.64.0.1"}


def test_two_load_balancers_on_one_port_are_a_problem_of_the_second() -> None:
    found = table(
        service("a", type="LoadBalancer", clusterIP="127.96.0.1"),
        service("b", type="LoadBalancer", clusterIP="127.96.0.2"),
    )
    assert len(found.listeners) == 3
    assert found.problems == [
        "Service shop/b: 127.64.0.1:80 is already taken by Service shop/a; "
        "give one of them another port"
    ]


def test_the_kubernetes_service_leads_to_the_api_server() -> None:
    found = table(service("kubernetes", "default", selector=None, ports=[{"port": 443}]))
    assert found.listeners[0].backends == (("127.64.0.1", 6443),)


def test_udp_and_external_names_are_problems() -> None:
    found = table(
        service("dns", ports=[{"port": 53, "protocol": "UDP"}]),
        service("ext", type="ExternalName", clusterIP=None),
    )
    assert found.listeners == []
    assert len(found.problems) == 2


def test_a_headless_service_names_its_ready_pods() -> None:
    pods = (
        endpoint("db-0", "127.128.0.2", hostname="db-0", subdomain="db"),
        endpoint("db-1", "127.128.0.3", ready=False, hostname="db-1", subdomain="db"),
    )
    found = table(service("db", clusterIP="None"), pods=pods)
    assert found.listeners == []
    assert found.names == [
        HostName("shop", "db", ("127.128.0.2",)),
        HostName("shop", "db-0.db", ("127.128.0.2",)),
    ]
    early = table(service("db", clusterIP="None", publishNotReadyAddresses=True), pods=pods)
    assert early.names[0].addresses == ("127.128.0.2", "127.128.0.3")


def test_short_names_work_only_inside_their_own_namespace() -> None:
    names = [HostName("data", "redis", ("127.96.0.3",)), HostName("shop", "web", ("127.96.0.9",))]
    own = OwnEntries("shop", "127.128.0.2", "web-0", [{"ip": "10.0.0.1", "hostnames": ["old"]}])
    assert render(names, own).splitlines() == [
        "127.0.0.1\tlocalhost",
        "127.128.0.2\tweb-0",
        "127.96.0.9\tweb.shop.svc.cluster.local web.shop.svc web.shop web",
        "127.96.0.3\tredis.data.svc.cluster.local redis.data.svc redis.data",
        "10.0.0.1\told",
    ]
