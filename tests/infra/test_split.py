"""Prod as two stacks: the contract that holds them together, and who is refused on it."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pulumi
import pytest
from pydantic import ValidationError

from infra import stack
from infra.config import PlatformConfig, TenantStackConfig, kind_of, parse
from infra.contract import OUTPUT, FoundationOutputs
from infra.reference import READ, contract_in, require_foundation
from tests.harness.recording import Secret, record
from tests.infra.platforms import FOUNDATION, ON_FOUNDATION, SPLIT, built, contract_of
from tests.infra.stack_data import platform_data

pytestmark = pytest.mark.unit

NAME = f"organization/agentic-platform/{FOUNDATION}"
Change = Callable[[dict[str, Any]], Any]


def contract(change: Change | None = None) -> dict[str, Any]:
    """What the foundation exports, changed."""
    found: dict[str, Any] = copy.deepcopy(built(FOUNDATION).values[OUTPUT])
    if change:
        change(found)
    return found


def refusals(
    platform: Change | None = None, ground: Change | None = None, region: str | None = None
) -> list[str]:
    """What is said of prod's platform, changed, on the foundation, changed."""
    data = platform_data(ON_FOUNDATION)
    if platform:
        platform(data)
    config = parse(data, PlatformConfig, region=region)
    outputs = FoundationOutputs.model_validate(contract(ground))
    with pytest.raises(pulumi.RunError) as caught:
        require_foundation(config, outputs, stack=NAME, region=region)
    return str(caught.value).splitlines()


def mistakes(data: dict[str, Any]) -> list[str]:
    with pytest.raises(pulumi.RunError) as caught:
        parse(data, kind_of(data), region="us-west-2")
    return str(caught.value).splitlines()[1:]


def test_the_examples_say_what_prod_says() -> None:
    whole, ground, platform = (platform_data(name) for name in ("prod", *SPLIT))
    ours = {"layer": "foundation", "cluster": {"stack": {"name": NAME}}}
    for data in (ground, platform):
        said = {key: value for key, value in data.items() if ours.get(key) != value}
        assert said | {"cluster": 0} == {key: whole[key] for key in said} | {"cluster": 0}
    assert {*ground, *platform} - {"layer"} == {*whole}


def test_the_contract_holds_no_secret() -> None:
    assert not isinstance(built(FOUNDATION).values[OUTPUT], Secret)
    (user,) = json.loads(contract()["cluster"]["kubeconfig"])["users"]
    assert [*user["user"]] == ["exec"]


@pytest.mark.parametrize("key", ["token", "client-key-data", "password"])
def test_a_kubeconfig_with_a_credential_is_never_exported(key: str) -> None:
    kubeconfig = json.dumps({"users": [{"name": "admin", "user": {key: "c3dvcmRmaXNo"}}]})

    def change(found: dict[str, Any]) -> None:
        found["cluster"]["kubeconfig"] = kubeconfig

    with pytest.raises(ValidationError, match=f"without credentials; this one has {key}"):
        FoundationOutputs.model_validate(contract(change))
    with pytest.raises(pulumi.RunError) as caught:
        contract_in({OUTPUT: contract(change)}, stack=NAME, prefix="")
    assert "c3dvcmRmaXNo" not in str(caught.value)


@pytest.mark.parametrize(
    ("outputs", "why"),
    [
        ({"kubeconfig": "{}"}, "which has no output 'foundation'; run `pulumi up --stack prod-f"),
        ({OUTPUT: {"version": 0}}, "has version 0; allowed is 1; run `pulumi up --stack prod-f"),
        ({OUTPUT: {"version": 2.0}}, "has version 2; allowed is 1; use the program that made it"),
        ({OUTPUT: {"version": 1}}, "can't be used (cluster: Field required); run `pulumi up"),
    ],
)
def test_a_stack_without_this_contract_is_refused_with_what_to_do_first(
    outputs: dict[str, Any], why: str
) -> None:
    with pytest.raises(pulumi.RunError) as caught:
        contract_in(outputs, stack=NAME, prefix=f"cluster.stack.name: got '{NAME}', ")
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"cluster.stack.name: got '{NAME}', wh")
    assert why in line


def test_a_field_of_a_later_program_is_left_out() -> None:
    def change(found: dict[str, Any]) -> None:
        found["cluster"]["proxy"] = "http://proxy"
        found["pools"]["general-pool"]["disks"] = 2

    found = contract_in({OUTPUT: contract(change)}, stack=NAME, prefix="")
    assert found.as_output() == contract()


@pytest.mark.parametrize(
    ("platform", "ground", "line"),
    [
        (
            lambda it: it["modelServers"]["embedding"].update(nodePool="gpus"),
            None,
            "modelServers.embedding.nodePool: got 'gpus'; allowed: gpu-inference-pool",
        ),
        (
            None,
            lambda it: it["pools"]["gpu-inference-pool"].update(largestGpus=4),
            "modelServers.tgi-mixtral.gpus: got 8; the largest node of 'gpu-inference-pool' has 4",
        ),
        (
            None,
            lambda it: it["account"]["buckets"].pop("vectors"),
            "vectorStore.variant: got 'chart', which keeps its data in objectStorage.buckets.vec",
        ),
        (
            lambda it: it["imageBuilds"].update(elsewhere={}),
            None,
            "imageBuilds.elsewhere: got a repository that imageRegistry does not make; allowed: ag",
        ),
        (
            lambda it: it["networkPolicies"].update(cloudCidr="10.20.0.0/16"),
            None,
            "networkPolicies.cloudCidr: got '10.20.0.0/16'; allowed is the VPC's range '10.10.0.0",
        ),
        (
            None,
            lambda it: it["cluster"].update(capacity="autoMode"),
            "gateway.loadBalancerClass: got null; Auto Mode gives a load balancer only to",
        ),
    ],
)
def test_what_the_foundation_lacks_is_refused_when_it_is_read(
    platform: Change | None, ground: Change | None, line: str
) -> None:
    count, found = refusals(platform, ground)
    assert count == (
        f"1 mistake in agentic-platform:platform of the stack file on the foundation '{NAME}':"
    )
    assert found.startswith(line)


def test_a_region_that_is_not_the_foundations_is_refused() -> None:
    (_, line) = refusals(region="eu-west-1")
    assert line.startswith("aws:region: got 'eu-west-1'; the foundation lies in 'us-west-2'")


def test_a_cluster_that_another_program_made_is_no_foundation() -> None:
    (line,) = refusals(ground=lambda it: it.update(network=None))
    assert line.startswith(f"cluster.stack.name: got '{NAME}', whose cluster another program made")


def test_a_platform_on_a_foundation_has_no_ground_of_its_own() -> None:
    whole = platform_data("prod")
    keys = ("network", "encryption", "objectStorage", "karpenter", "gpuPools")
    lines = mistakes(platform_data(ON_FOUNDATION) | {key: whole[key] for key in keys})
    assert {line.split(": ")[0] for line in lines} == {*keys}
    assert all("cluster.stack, whose foundation has it" in line for line in lines)


def test_a_foundation_has_no_workloads_and_a_cluster_of_its_own() -> None:
    data = platform_data(FOUNDATION) | {"gateway": {}, "cluster": {"stack": {"name": NAME}}}
    lines = mistakes(data)
    assert any(line.startswith("gateway: unknown key") for line in lines), lines
    assert "cluster.eks: missing" in "\n".join(lines)
    assert any(line.startswith("cluster.stack: unknown key") for line in lines), lines


def test_rules_about_the_ground_hold_in_a_foundations_file_too() -> None:
    data = platform_data(FOUNDATION) | {"encryption": None}
    data["cpuPools"]["general-pool"]["nodeClass"]["amiAlias"] = "al2023@latest"
    lines = mistakes(data)
    assert [line.split(": ")[0] for line in lines] == [
        "encryption",
        "cpuPools.general-pool.nodeClass.amiAlias",
    ]


def test_a_misspelt_layer_is_told_the_right_one() -> None:
    lines = mistakes(platform_data(FOUNDATION) | {"layer": "fundation"})
    assert lines == [
        "layer: got 'fundation'; allowed: 'foundation'; did you mean 'foundation'?",
    ]


def test_a_tenant_stands_on_a_foundation() -> None:
    data = platform_data("tenant-a") | {"platform": {"stack": NAME}, "cluster": None}
    config = parse(data, TenantStackConfig, region=None)
    made = record(lambda: stack.build(config, None), answers=contract_of(FOUNDATION))
    (provider,) = made.of_type("providers:kubernetes")
    assert provider.inputs["kubeconfig"] == contract()["cluster"]["kubeconfig"]
    assert made.invoked == [(READ, {"name": NAME})]
