"""Explicit providers: no resource of this program uses an ambient profile, region or kubeconfig."""

from collections.abc import Mapping

import pulumi
import pulumi_aws as aws
import pulumi_eks as eks
import pulumi_kubernetes as kubernetes


def aws_providers(region: str, *, tags: Mapping[str, str]) -> list[pulumi.ProviderResource]:
    """AWS in one region, for AWS resources and for EKS components; all of them get `tags`."""
    return [aws_provider(region, tags=tags), eks.Provider("eks")]


def aws_provider(region: str, *, tags: Mapping[str, str]) -> pulumi.ProviderResource:
    """AWS in one region; all of its resources get `tags`."""
    provider: pulumi.ProviderResource = aws.Provider(
        "aws", region=region, default_tags={"tags": dict(tags)}
    )
    return provider


def kubernetes_provider(
    kubeconfig: pulumi.Input[str], *, cluster: str, context: str | None = None
) -> pulumi.ProviderResource:
    """One cluster; only another `cluster` name replaces its objects, a new address never does."""
    provider: pulumi.ProviderResource = kubernetes.Provider(
        "kubernetes",
        kubeconfig=kubeconfig,
        context=context,
        cluster_identifier=cluster,
        enable_server_side_apply=True,
        # Replacing a mounted one would take it from running Pods for a moment.
        enable_config_map_mutable=True,
        enable_secret_mutable=True,
    )
    return provider


def docker_provider() -> pulumi.ProviderResource:
    """The builder on the machine that deploys; credentials come with each image."""
    # Loaded only where images are built: it takes half a second.
    import pulumi_docker_build as docker_build

    provider: pulumi.ProviderResource = docker_build.Provider("docker-build", host="")
    return provider
