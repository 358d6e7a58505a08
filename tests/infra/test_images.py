"""References of the stack's own images."""

import pulumi
import pytest

from infra.images import image_reference
from tests.harness.recording import record

pytestmark = pytest.mark.unit


def test_the_own_registry_is_put_in() -> None:
    made = record(
        lambda: {
            "image": image_reference(
                "registry://agentic-platform/agent-runtime:0.1.0",
                {"agentic-platform/agent-runtime": pulumi.Output.from_input("1.ecr.example/r")},
            )
        }
    )
    assert made.values == {"image": "1.ecr.example/r:0.1.0"}


def test_other_images_stay_as_they_are() -> None:
    assert image_reference("process.local/agent-runtime:dev", {}) == (
        "process.local/agent-runtime:dev"
    )


@pytest.mark.parametrize(
    "image", ["registry://other:1", "registry://agentic-platform/agent-runtime"]
)
def test_an_unknown_repository_or_a_missing_tag_is_refused(image: str) -> None:
    with pytest.raises(pulumi.RunError, match=r"agentService\.image"):
        image_reference(image, {})
