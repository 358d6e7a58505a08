"""The program's imports of the AWS SDK: the same names, fewer modules."""

import subprocess
import sys

import pytest

from local.paths import CHECKOUT

pytestmark = pytest.mark.unit

PUT_OFF = "from infra.sdk_imports import on_demand; on_demand('ec2', 'eks', 'swf'); import sys; "


def ran(program: str) -> str:
    """In an interpreter of its own: what a test imported stays for all that follow."""
    done = subprocess.run(
        [sys.executable, "-c", PUT_OFF + program],
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
