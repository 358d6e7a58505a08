"""Errors of AWS as lines for a person, and credentials that nobody prints."""

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from moto import mock_aws

from infra.aws_session import AwsSession, AwsSessionError, code_of, explain, is_denied

pytestmark = pytest.mark.unit


def refused(code: str, message: str = "no") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "DescribeVpcs")


@pytest.mark.parametrize(
    ("error", "parts"),
    [
        (NoCredentialsError(), ("no valid AWS credentials", "aws sso login")),
        (refused("ExpiredToken"), ("no valid AWS credentials", "aws sso login")),
        (refused("UnauthorizedOperation", "arn:… is not"), ("may not DescribeVpcs", "permission")),
        (
            EndpointConnectionError(endpoint_url="https://ec2.x"),
            ("AWS does not answer", "aws:region"),
        ),
        (refused("InvalidVpcID.NotFound", "no 'vpc-1'"), ("DescribeVpcs: ", "no 'vpc-1'")),
    ],
)
def test_an_error_is_one_line_with_a_way_out(error: Exception, parts: tuple[str, ...]) -> None:
    line = explain(error)
    assert "\n" not in line
    assert [part for part in parts if part not in line] == []


def test_a_lacking_permission_is_told_from_other_errors() -> None:
    assert is_denied(refused("AccessDenied"))
    assert not is_denied(refused("Throttling"))
    assert code_of(NoCredentialsError()) == ""


def test_a_long_answer_is_cut() -> None:
    assert len(explain(refused("Invalid", "x" * 5000))) < 300


def test_a_profile_that_is_not_there_is_told_before_anything_is_asked() -> None:
    with pytest.raises(AwsSessionError, match="nobody"):
        AwsSession(region="us-west-2", profile="nobody")


@pytest.mark.slow
@mock_aws
def test_the_caller_is_known_by_account_and_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    session = AwsSession(region="us-west-2")
    assert session.caller()["Account"] == "123456789012"
    assert session.client("ec2") is session.client("ec2")
