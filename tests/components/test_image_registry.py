"""ECR: our own repositories, and caches of public registries."""

import json
from typing import Any

import pytest

from components.image_registry import ImageRegistry, ImageRegistryConfig
from components.node_role import NodeRole
from components.pull_through_cache import (
    UPSTREAMS,
    PullThroughConfig,
    UpstreamConfig,
    import_policy,
)
from tests.harness.cloud import cloud_outputs
from tests.harness.recording import Recording, record

pytestmark = pytest.mark.unit

CREDENTIALS = "ecr-pullthroughcache/docker-hub"
ENTRY = {
    "aws:secretsmanager/getSecret:getSecret": {"arn": f"arn:aws:secretsmanager:::{CREDENTIALS}"}
}


def registry() -> Recording:
    upstreams = {"quay.io": UpstreamConfig(), "docker.io": UpstreamConfig(credentials=CREDENTIALS)}
    config = ImageRegistryConfig(keep_images=5, pull_through=PullThroughConfig(upstreams=upstreams))

    def build() -> dict[str, Any]:
        ImageRegistry("registry", config=config, key_arn="arn:key", protect=True)
        return {}

    return record(build, outputs=cloud_outputs, answers=ENTRY)


def test_tags_never_move_and_every_push_is_scanned_and_encrypted() -> None:
    (repository,) = registry().of_type("repository:Repository")
    assert repository.inputs["imageTagMutability"] == "IMMUTABLE"
    assert repository.inputs["imageScanningConfiguration"] == {"scanOnPush": True}
    assert repository.inputs["encryptionConfigurations"] == [
        {"encryptionType": "KMS", "kmsKey": "arn:key"}
    ]
    assert repository.inputs["forceDelete"] is False


def test_a_cache_lies_below_the_name_of_its_registry() -> None:
    rules = {
        it.inputs["ecrRepositoryPrefix"]: it.inputs
        for it in registry().of_type(":PullThroughCacheRule")
    }
    assert {key: it["upstreamRegistryUrl"] for key, it in rules.items()} == {
        "quay.io": "quay.io",
        "docker.io": "registry-1.docker.io",
    }
    assert rules["docker.io"]["credentialArn"].endswith(CREDENTIALS)
    assert "credentialArn" not in rules["quay.io"]


def test_what_is_cached_goes_again() -> None:
    for template in registry().of_type(":RepositoryCreationTemplate"):
        assert template.inputs["appliedFors"] == ["PULL_THROUGH_CACHE"]
        (rule,) = json.loads(template.inputs["lifecyclePolicy"])["rules"]
        assert rule["action"] == {"type": "expire"}


def test_nodes_may_fill_caches_and_make_no_other_repository() -> None:
    (statement,) = import_policy("aws")["Statement"]
    assert statement["Action"] == ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"]
    assert statement["Resource"] == [f"arn:aws:ecr:*:*:repository/{host}/*" for host in UPSTREAMS]

    def build() -> dict[str, Any]:
        NodeRole("node", partition="aws")
        return {}

    (policy,) = record(build, outputs=cloud_outputs).of_type(":RolePolicy")
    assert json.loads(policy.inputs["policy"]) == import_policy("aws")
