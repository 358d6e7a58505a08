"""An AWS account of moto's for questions before `up`, with answers of its own where moto has none.

moto lacks quotas of EC2, versions of EKS, capacity reservations and most public parameters: those
answers are the test's, checked against the SDK's model of each operation.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from moto import mock_aws

from components.eks_support import SUPPORT_WINDOWS
from infra.config import PlatformConfig, parse
from infra.preflight.finding import Finding
from infra.preflight.questions import Question
from infra.stack_file import Stack
from tests.harness.aws_answers import AnsweringSession
from tests.infra.stack_data import platform_data

REGION = "us-west-2"
PLENTY = 100_000
ROLE = "platform-admin"


@contextmanager
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever is asked of AWS is asked of moto, as somebody."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield


def quota(values: dict[str, float]) -> Any:
    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        code = asked["QuotaCode"]
        return {"Quota": {"QuotaCode": code, "Value": float(values.get(code, PLENTY))}}

    return answer


def version(asked: dict[str, Any]) -> dict[str, Any]:
    name = asked["clusterVersions"][0]
    ends = SUPPORT_WINDOWS[name].standard_ends
    return {
        "clusterVersions": [
            {
                "clusterVersion": name,
                "versionStatus": "STANDARD_SUPPORT",
                "endOfStandardSupportDate": datetime(ends.year, ends.month, ends.day, tzinfo=UTC),
            }
        ]
    }


def image(asked: dict[str, Any]) -> dict[str, Any]:
    return {"Parameter": {"Name": asked["Name"], "Value": "ami-0123456789abcdef0"}}


def session(**values: float) -> AnsweringSession:
    """An account with these quotas, by code with `_`, and plenty of all others."""
    return AnsweringSession(
        {
            "service-quotas.GetServiceQuota": quota(
                {code.replace("_", "-"): value for code, value in values.items()}
            ),
            "eks.DescribeClusterVersions": version,
            "ssm.GetParameter": image,
        }
    )


def stack(data: dict[str, Any] | None = None) -> Stack:
    given = data or platform_data("prod")
    return Stack("prod", REGION, parse(given, PlatformConfig, region=REGION))


def by_subject(question: Question, of: Stack, asked: AnsweringSession) -> dict[str, Finding]:
    return {it.subject: it for it in question(of, asked)}


def make_role(asked: AnsweringSession, name: str = ROLE) -> None:
    asked.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument="{}")


def make_secrets(asked: AnsweringSession, names: list[str]) -> None:
    for name in names:
        asked.client("secretsmanager").create_secret(Name=name, SecretString="made-up")
