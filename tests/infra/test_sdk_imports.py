"""The program's imports of the AWS SDK: the same names, fewer modules."""

import json
import subprocess
import sys

import pytest

from infra.sdk_imports import WORD
from local.paths import CHECKOUT

pytestmark = pytest.mark.unit

PUT_OFF = "from infra.sdk_imports import on_demand; on_demand('ec2', 'eks', 'swf'); import sys; "
MEANINGS = """
import json, pulumi_aws, sys
def meaning(it):
    return [it.__module__, it.__qualname__] if callable(it) else None
for service, names in json.loads(sys.argv[1]).items():
    module = getattr(pulumi_aws, service)
    if names is None:
        hasattr(module, "anything")  # the SDK's own modules load with the first question
        names = [it for it in dir(module) if not it.startswith("_")]
    print(json.dumps([service, {name: meaning(getattr(module, name)) for name in names}]))
"""


def ran(program: str, *arguments: str, before: str = PUT_OFF) -> str:
    """In an interpreter of its own: what a test imported stays for all that follow."""
    done = subprocess.run(
        [sys.executable, "-c", before + program, *arguments],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_one_resource_does_not_import_the_others() -> None:
    said = ran(
        "from pulumi_aws import ec2; print(ec2.Vpc.pulumi_type); "
        "print(sum(name.startswith('pulumi_aws.ec2.') for name in sys.modules))"
    )
    kind, modules = said.splitlines()
    assert kind == "aws:ec2/vpc:Vpc"
    assert int(modules) < 5


def test_a_class_is_the_one_that_the_sdk_publishes() -> None:
    said = ran(
        "import pulumi_aws as aws; from pulumi_aws.eks import PodIdentityAssociation as one; "
        "from pulumi_aws.eks.pod_identity_association import PodIdentityAssociation as two; "
        "print(aws.eks.PodIdentityAssociation is one is two)"
    )
    assert said == "True"


def test_what_is_imported_on_demand_means_what_it_means_in_the_published_services() -> None:
    published = {
        service: {
            name: meaning
            for name, meaning in meanings.items()
            if meaning and meaning[0].endswith("." + WORD.sub("_", name).lower())
        }
        for service, meanings in told(
            ran(MEANINGS, '{"ecr": null, "iam": null}', before="")
        ).items()
    }
    assert {"Repository", "get_repository"} < {*published["ecr"]}
    names = {service: [*meanings] for service, meanings in published.items()}
    put_off = "from infra.sdk_imports import on_demand; on_demand('ecr', 'iam')"
    assert told(ran(MEANINGS, json.dumps(names), before=put_off)) == published


def told(lines: str) -> dict[str, dict[str, list[str] | None]]:
    """By service what its names mean: module and name of a class or function."""
    return dict(map(json.loads, lines.splitlines()))


def test_a_name_that_lies_elsewhere_is_found_in_the_whole_service() -> None:
    said = ran(
        "from pulumi_aws import swf; print(swf.DomainArgs.__module__)\n"
        "try: swf.Nothing\n"
        "except AttributeError as error: print(error)"
    )
    assert said.splitlines() == ["pulumi_aws.swf.domain", "pulumi_aws.swf has no Nothing"]


def test_a_service_that_the_sdk_has_not_is_named() -> None:
    said = ran("\ntry: on_demand('nothing')\nexcept ImportError as error: print(error)")
    assert said == "the AWS SDK has no service 'nothing'"
