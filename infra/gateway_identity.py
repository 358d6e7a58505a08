"""The gateway's identity on AWS: it may ask the Bedrock models that its routes fall back to."""

from typing import Any

import pulumi

from components.gateway_config import GATEWAY_NAME, GatewayConfig
from components.ordering import after
from components.pod_identity import PodIdentity, policy_document
from infra.foundation import Foundation

ACTIONS = ("bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream")


def asked_models(config: GatewayConfig) -> list[tuple[str, str]]:
    """Region and name of each Bedrock model that is asked without an API key."""
    found = {
        (provider.region, hosted.model)
        for route in config.models
        for hosted in route.hosted
        if (provider := config.providers.get(hosted.provider))
        and provider.kind == "bedrock"
        and provider.region
        and provider.key is None
    }
    return sorted(found)


def bedrock_policy(models: list[tuple[str, str]]) -> dict[str, Any]:
    """These models and, where a name stands for several regions, its profile."""
    resources = []
    for region, model in models:
        # `us.vendor.model` names a profile; the model behind it is asked in each of its regions.
        bare = model.partition(".")[2] if model.count(".") > 1 else ""
        resources.append(f"arn:aws:bedrock:{region}::foundation-model/{model}")
        if bare:
            resources.append(f"arn:aws:bedrock:{region}:*:inference-profile/{model}")
            resources.append(f"arn:aws:bedrock:*::foundation-model/{bare}")
    return policy_document([{"Effect": "Allow", "Action": [*ACTIONS], "Resource": resources}])


def with_bedrock(
    config: GatewayConfig, namespace: pulumi.Output[str], foundation: Foundation
) -> pulumi.Output[str]:
    """The namespace, once the proxies in it may ask; unchanged where they ask nothing there."""
    models = asked_models(config)
    if not models:
        return namespace
    identity = PodIdentity(
        "gateway-bedrock",
        cluster=foundation.cluster_name,
        namespace=namespace,
        service_account=GATEWAY_NAME,
        policy=bedrock_policy(models),
        opts=foundation.in_cluster,
    )
    return after(namespace, [identity])
