"""References of the stack's own images: kept in its registry, or built by it."""

import json
from typing import Any

import pulumi
import pytest

from components.build_context import content_tag
from infra.config import CHECKOUT, PlatformConfig, parse
from infra.images import OwnImages
from tests.harness.cloud import ACCOUNT
from tests.harness.recording import Secret, record
from tests.infra.platforms import built
from tests.infra.stack_data import platform_data

pytestmark = pytest.mark.unit

RUNTIME = "agentic-platform/agent-runtime"


def mistakes(data: dict[str, Any]) -> list[str]:
    with pytest.raises(pulumi.RunError) as caught:
        parse(data, PlatformConfig, region="us-west-2")
    return str(caught.value).splitlines()[1:]


def test_the_own_registry_is_put_in() -> None:
    def build() -> dict[str, Any]:
        images = OwnImages({RUNTIME: pulumi.Output.from_input("1.ecr.example/r")})
        return {"image": images.reference(f"registry://{RUNTIME}:0.1.0")}

    made = record(build)
    assert made.values == {"image": "1.ecr.example/r:0.1.0"}


def test_other_images_stay_as_they_are() -> None:
    assert OwnImages().reference("process.local/agent-runtime:dev") == (
        "process.local/agent-runtime:dev"
    )


@pytest.mark.parametrize(
    "image", ["registry://other:1", f"registry://{RUNTIME}", "build://other", "build://"]
)
def test_an_unknown_repository_or_a_missing_tag_is_refused(image: str) -> None:
    data = platform_data("prod")
    data["agentService"]["image"] = image
    (line,) = mistakes(data)
    assert line.startswith(f"agentService.image: got '{image}'; allowed is ")
    assert RUNTIME in line


def test_a_build_without_a_repository_is_refused() -> None:
    data = platform_data("prod")
    data["imageBuilds"]["elsewhere"] = {}
    (line,) = mistakes(data)
    assert line.startswith("imageBuilds.elsewhere: got a repository that imageRegistry does not")


def test_the_runtime_is_built_from_this_checkout_and_used_by_its_digest() -> None:
    made = built("prod")
    (image,) = made.of_type("docker-build:index:Image")
    (repository,) = made.of_type("aws:ecr/repository:Repository")
    tag = content_tag(CHECKOUT, "agent_runtime/Dockerfile", "", "linux/amd64")
    (name,) = image.inputs["tags"]
    assert name.endswith(f":{tag}")
    assert repository.inputs["imageTagMutability"] == "IMMUTABLE"
    assert image.inputs["push"] is True
    assert image.inputs["buildOnPreview"] is False
    assert image.inputs["context"] == {"location": ".."}
    assert isinstance(image.inputs["registries"], Secret)
    digest = f"{ACCOUNT}.dkr.ecr.us-west-2.amazonaws.com/{image.name}:built@sha256:recorded"
    (agent,) = [it for it in made.of_type(":Agent") if "kagent.dev" in it.type]
    assert agent.inputs["spec"]["byo"]["deployment"]["image"] == digest
    jobs = json.dumps([it.inputs for it in made.of_type(":Job")])
    assert digest in jobs
