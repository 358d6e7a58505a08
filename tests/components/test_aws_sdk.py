"""The AWS SDK's services: what is used is what the SDK publishes, and little else is imported."""

import subprocess
import sys

import pytest

from components import aws_sdk
from components.aws_sdk import ec2, eks, service
from local.paths import CHECKOUT

pytestmark = pytest.mark.unit


def test_a_class_comes_from_its_own_module() -> None:
    assert ec2.VpcEndpoint.__module__ == "pulumi_aws.ec2.vpc_endpoint"
    assert eks.PodIdentityAssociation.pulumi_type.startswith("aws:eks/podIdentityAssociation:")
    assert ec2 is aws_sdk.aws.ec2 is service("ec2")


def test_a_name_that_lies_elsewhere_is_found_in_the_whole_service() -> None:
    found = service("swf")
    assert found.DomainArgs.__module__ == "pulumi_aws.swf.domain"
    with pytest.raises(AttributeError, match="swf has no Nothing"):
        _ = found.Nothing
    with pytest.raises(ImportError, match="no service 'nothing'"):
        service("nothing")


def test_one_resource_does_not_import_the_others() -> None:
    program = (
        "from components.aws_sdk import ec2; ec2.Vpc; import sys; "
        "print(sum(name.startswith('pulumi_aws.ec2.') for name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 5
