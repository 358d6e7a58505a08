"""kagent's controller: turns Agent objects into Deployments and Services."""

from typing import Annotated, Any

from pulumi import ComponentResource, Input, Output, ResourceOptions
from pydantic import Field

from components.base import ConfigModel
from components.child_options import child_options
from components.helm_chart import RECORDS_NAMESPACE, HelmChart
from components.ordering import after

BUNDLED_AGENTS = (
    "k8s-agent",
    "kgateway-agent",
    "istio-agent",
    "promql-agent",
    "observability-agent",
    "argo-rollouts-agent",
    "helm-agent",
    "cilium-policy-agent",
    "cilium-manager-agent",
    "cilium-debug-agent",
)
"""Agents with wide rights over the cluster that the chart would install; none is wanted."""


class AgentOperatorConfig(ConfigModel):
    """What a stack decides about kagent."""

    database_secret: Annotated[str, Field(min_length=1)]
    """Secret in the operator's namespace with the address of a Postgres database; the chart's
    own database has 500 MiB and no backup."""
    database_key: str = "url"
    """Key of that Secret which holds the address."""
    replicas: Annotated[int, Field(ge=1, le=5)] = 1
    """Pods of the controller."""


def chart_values(config: AgentOperatorConfig, *, traces_url: Any = None) -> dict[str, Any]:
    """Values of the chart `kagent`: the controller alone, its database from a Secret."""
    mount = "/var/run/kagent/database"
    values: dict[str, Any] = {
        "controller": {
            "replicas": config.replicas,
            "volumes": [{"name": "database", "secret": {"secretName": config.database_secret}}],
            "volumeMounts": [{"name": "database", "mountPath": mount, "readOnly": True}],
        },
        "database": {
            "postgres": {
                "bundled": {"enabled": False},
                "urlFile": f"{mount}/{config.database_key}",
            }
        },
        "ui": {"replicas": 0},
        "kmcp": {"enabled": False},
        "kagent-tools": {"enabled": False},
        "grafana-mcp": {"enabled": False},
        "querydoc": {"enabled": False},
    }
    values |= {agent: {"enabled": False} for agent in BUNDLED_AGENTS}
    if traces_url is not None:
        exporter = {"otlp": {"endpoint": traces_url, "protocol": "http/protobuf"}}
        values["otel"] = {"tracing": {"enabled": True, "exporter": exporter}}
    return values


class AgentOperator(ComponentResource):
    """kagent's definitions and controller in one namespace."""

    namespace: Output[str]
    """What Agents depend on: known when the controller runs."""

    def __init__(
        self,
        name: str,
        *,
        config: AgentOperatorConfig,
        namespace: Input[str],
        traces_url: Input[str] | None = None,
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("agentic:agents:AgentOperator", name, None, opts)
        child = child_options(self, opts)
        crds = HelmChart(
            "kagent-crds",
            chart="kagent-crds",
            namespace=RECORDS_NAMESPACE,
            values={"kmcp": {"enabled": False}},
            opts=ResourceOptions(parent=self),
        )
        controller = HelmChart(
            "kagent",
            chart="kagent",
            namespace=namespace,
            values=chart_values(config, traces_url=traces_url),
            opts=ResourceOptions.merge(child, ResourceOptions(depends_on=[crds])),
        )
        self.namespace = after(namespace, [controller])
        self.register_outputs({"namespace": self.namespace})
