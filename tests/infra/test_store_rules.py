"""The vector store's password, from the Secret to the server, or one clear line."""

from typing import Any

import pulumi
import pytest

from infra.config import PlatformConfig, parse
from tests.infra.stack_data import platform_data

pytestmark = pytest.mark.unit


def mistakes(data: dict[str, Any]) -> str:
    with pytest.raises(pulumi.RunError) as caught:
        parse(data, PlatformConfig, region="us-west-2")
    return str(caught.value)


def test_a_store_with_passwords_needs_root_s() -> None:
    data = platform_data("prod")
    data["collections"] = {"collections": ["agent_knowledge"]}
    assert "vectorStore.authentication: needs collections.authSecret" in mistakes(data)


def test_a_password_for_a_store_that_asks_for_none_is_a_mistake() -> None:
    data = platform_data("prod")
    data["vectorStore"]["authentication"] = False
    assert "collections.authSecret: got 'milvus-auth', but" in mistakes(data)


@pytest.mark.parametrize(
    ("name", "place"),
    [("milvus-auth", "ai-agents"), ("milvus-token", "ai-agents"), ("milvus-auth", "ai-data")],
)
def test_a_secret_that_nobody_makes_is_named(name: str, place: str) -> None:
    data = platform_data("prod")
    for entry in data["secrets"]["entries"]:
        if entry["name"] == name:
            entry["namespaces"] = [each for each in entry["namespaces"] if each != place]
    data["secrets"]["entries"] = [each for each in data["secrets"]["entries"] if each["namespaces"]]
    assert f"secrets.entries: no Secret '{name}' in namespace '{place}'" in mistakes(data)
