"""The external-secrets operator, with the right to read this platform's entries and no others."""

from typing import Any

import pulumi

from components.base import ConfigModel
from components.child_options import child_options
from components.helm_chart import KEEP, HelmChart
from components.namespace import Namespace, NamespaceConfig
from components.pod_identity import PodIdentity, policy_document
from components.region import partition_of

NAMESPACE = "external-secrets"
SERVICE_ACCOUNT = "external-secrets"


class SecretOperatorConfig(ConfigModel):
    """What a stack decides about the operator."""

    replicas: int = 1
    """Copies of the operator; one leads."""


def reader_policy(*, region: str, account: str, prefix: str, key_arn: str) -> dict[str, Any]:
    """Read the entries under one prefix, and decrypt with one key."""
    entries = f"arn:{partition_of(region)}:secretsmanager:{region}:{account}:secret:{prefix}*"
    read = {
        "Effect": "Allow",
        "Action": ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"],
        "Resource": entries,
    }
    decrypt = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key_arn}
    return policy_document([read, decrypt])


def chart_values(config: SecretOperatorConfig) -> dict[str, Any]:
    """Values of the external-secrets chart."""
    return {
        "installCRDs": True,
        "crds": {"annotations": KEEP},
        "replicaCount": config.replicas,
        "leaderElect": True,
        "serviceAccount": {"create": True, "name": SERVICE_ACCOUNT},
    }


class SecretOperator(pulumi.ComponentResource):
    """Turns entries of Secrets Manager into Secrets."""

    ready: list[pulumi.Resource]
    """Stores and ExternalSecrets depend on these."""

    def __init__(
        self,
        name: str,
        *,
        config: SecretOperatorConfig,
        cluster_name: pulumi.Input[str],
        region: str,
        account: pulumi.Input[str],
        secret_prefix: str,
        key_arn: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("agentic:cluster:SecretOperator", name, None, opts)
        child = child_options(self, opts)
        policy = pulumi.Output.all(account=account, key_arn=key_arn).apply(
            lambda it: reader_policy(region=region, prefix=secret_prefix, **it)
        )
        identity = PodIdentity(
            name,
            cluster=cluster_name,
            namespace=NAMESPACE,
            service_account=SERVICE_ACCOUNT,
            policy=policy,
            opts=child,
        )
        namespace = Namespace(NAMESPACE, config=NamespaceConfig(), opts=child)
        chart = HelmChart(
            name,
            chart="external-secrets",
            namespace=namespace.namespace,
            values=chart_values(config),
            opts=pulumi.ResourceOptions.merge(
                child, pulumi.ResourceOptions(depends_on=[identity.association])
            ),
        )
        self.ready = [chart, identity.association]
        self.register_outputs({})
