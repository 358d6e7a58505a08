"""The whole stack file as one frozen model, and the only place that reads it."""

import os
from pathlib import Path
from typing import Any, TypeVar

import pulumi
from pydantic import (
    BaseModel,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from components.access_control import AccessControlConfig
from components.admission_policies import AdmissionPoliciesConfig
from components.agent_operator import AgentOperatorConfig
from components.autoscaling_operator import AutoscalingOperatorConfig
from components.cert_manager import CertManagerConfig
from components.collection_bootstrap import CollectionBootstrapConfig
from components.gateway_config import GatewayConfig
from components.gpu_support import GpuSupportConfig
from components.image_build_config import ImageBuildConfig
from components.metrics import MetricsConfig
from components.model_server_config import ModelServerConfig
from components.namespace import DEFAULT_NAMESPACES, NamespaceConfig
from components.priority_class import DEFAULT_PRIORITY_CLASSES, PriorityClassConfig
from components.runtime_pod import AgentServiceConfig
from components.sample_services import SampleServicesConfig
from components.secret_operator import SecretOperatorConfig
from components.secret_store import SecretStoreConfig
from components.service_mesh import ServiceMeshConfig
from components.session_store import SessionStoreConfig
from components.tenant import TenantConfig
from components.tool_server import ToolServerConfig
from components.tracing import TracingConfig
from components.traffic import TrafficConfig
from components.vector_store import VectorStoreConfig
from components.versions import CrdBundle
from infra.foundation_config import FoundationSection, FoundationStackConfig
from infra.problems import BrokenRulesError, explain
from infra.rules import broken_rules
from infra.sections import (
    ClusterConfig,
    ExistingClusterConfig,
    ScalerConfig,
    TenantStackConfig,
)

PROJECT = "agentic-platform"
KEY = "platform"
CHECKOUT = Path(__file__).resolve().parent.parent
STATE_FOLDER = ".local"
STATE_VARIABLE = "AGENTIC_STATE_DIR"

Model = TypeVar("Model", bound=BaseModel)
T = TypeVar("T")

__all__ = [
    "CHECKOUT",
    "KEY",
    "PROJECT",
    "ClusterConfig",
    "ExistingClusterConfig",
    "FoundationSection",
    "FoundationStackConfig",
    "PlatformConfig",
    "StackConfig",
    "TenantStackConfig",
    "given",
    "kind_of",
    "load",
    "parse",
    "state_path",
]


class PlatformConfig(FoundationSection):
    """One platform: with a ground of its own, on a cluster that is there, or on a foundation."""

    cluster: ClusterConfig
    """The cluster that everything else runs on."""
    image_builds: dict[str, ImageBuildConfig] = Field(default_factory=dict)
    """Images made of this checkout, by the repository of `imageRegistry` they are pushed to;
    `build://<repository>` is such an image with its digest."""
    manifest_mirror: str | None = Field(default=None, pattern=r"^(https://[^\s]+|[\w./-]+)$")
    """HTTPS address or folder with copies of the files of `definitions`."""
    gpu_support: GpuSupportConfig | None = None
    """Device plugin and GPU metrics."""

    definitions: tuple[CrdBundle, ...] = ()
    """Kinds to install: `gateway-api` for the gateway variant `kgateway`, `prometheus-operator`
    for every ServiceMonitor. Empty where something else installs them."""
    cert_manager: CertManagerConfig | None = None
    """Certificates inside the cluster."""
    secret_operator: SecretOperatorConfig | None = None
    """The operator behind `secrets.source: externalSecrets`."""
    service_mesh: ServiceMeshConfig | None = None
    """Istio, and with it mutual TLS."""
    namespaces: dict[str, NamespaceConfig] = Field(default=dict(DEFAULT_NAMESPACES))
    """The platform's namespaces, by name."""
    autoscaling_operator: AutoscalingOperatorConfig | None = None
    """KEDA; needed for scalers."""
    priority_classes: dict[str, PriorityClassConfig] = Field(default=DEFAULT_PRIORITY_CLASSES)
    """Scheduling order, by name of the PriorityClass."""
    access_control: AccessControlConfig = Field(default=AccessControlConfig())
    """Who may work on agents."""
    network_policies: TrafficConfig | None = None
    """Who may talk to whom; without it everybody to everybody."""
    admission_policies: AdmissionPoliciesConfig | None = None
    """What the API server refuses in the namespaces of the platform and its tenants."""
    secrets: SecretStoreConfig
    """Where secrets come from."""

    session_store: SessionStoreConfig
    """The agents' short-term memory and task queue."""
    vector_store: VectorStoreConfig
    """The agents' long-term memory."""
    collections: CollectionBootstrapConfig | None = None
    """Collections that are made in the vector store."""
    tracing: TracingConfig
    """Where traces go."""
    metrics: MetricsConfig
    """What scrapes, alerts and draws."""

    gateway: GatewayConfig
    """The door: authentication, routes, limits."""
    gateway_keys: dict[str, str] = Field(default_factory=dict)
    """API keys by tenant: the name of the secret's source (file, or entry of Secrets Manager)."""
    model_servers: dict[str, ModelServerConfig] = Field(default_factory=dict)
    """Model servers by the name of their Service."""
    pre_pull_model_images: bool = False
    """Hold the engines' images on every node of the pools that model servers use."""

    agent_operator: AgentOperatorConfig | None = None
    """kagent; needed with agentService.controller 'kagent'."""
    agent_service: AgentServiceConfig
    """How agents run."""
    tool_server: ToolServerConfig | None = None
    """The Tools of ai-agents as an MCP server, for agents of kagent and any other MCP client."""
    agents: tuple[str, ...] = ()
    """Documents of the platform's own agents and tools: YAML files, as paths in the checkout."""
    scalers: dict[str, ScalerConfig] = Field(default_factory=dict)
    """ScaledObjects of KEDA, by name."""
    samples: SampleServicesConfig | None = None
    """The sample agent's ticket service and documents; a local platform's only."""
    tenants: dict[str, TenantConfig] = Field(default_factory=dict)
    """Tenants of this platform by namespace; others come with stacks of their own."""

    @field_validator("namespaces")
    @classmethod
    def _over_the_defaults(cls, given: dict[str, NamespaceConfig]) -> dict[str, NamespaceConfig]:
        return {**DEFAULT_NAMESPACES, **given}

    @model_validator(mode="after")
    def _rules_between_keys(self, info: ValidationInfo) -> "PlatformConfig":
        context: dict[str, Any] = info.context or {}
        lines = broken_rules(self, region=context.get("region"))
        if lines:
            raise BrokenRulesError(lines)
        return self


StackConfig = PlatformConfig | FoundationStackConfig | TenantStackConfig


def given(value: T | None) -> T:
    """What the rules of a stack file say is there."""
    if value is None:
        raise AssertionError("infra/rules.py let a stack file pass that lacks what EKS needs")
    return value


def state_path(text: str | Path) -> Path:
    """A path of the stack file: `.local/…` in the local platform's state, else in the checkout."""
    path = Path(text)
    moved = os.environ.get(STATE_VARIABLE)
    if moved and path.parts[:1] == (STATE_FOLDER,):
        return Path(moved).absolute().joinpath(*path.parts[1:])
    return CHECKOUT / path


def parse(data: Any, model: type[Model], *, region: str | None) -> Model:
    """The validated model; `pulumi.RunError` lists every mistake, one a line, without traceback."""
    try:
        return model.model_validate(data, context={"region": region})
    except ValidationError as error:
        lines = explain(error, model)
    count = f"{len(lines)} mistake{'s' if len(lines) > 1 else ''}"
    raise pulumi.RunError(f"{count} in {PROJECT}:{KEY} of the stack file:\n" + "\n".join(lines))


def load() -> tuple[StackConfig, str | None]:
    """The current stack's configuration, and its `aws:region`."""
    data = pulumi.Config(PROJECT).get_object(KEY)  # noqa: TID251 - this is the one place
    if data is None:
        raise pulumi.RunError(
            f"this stack has no '{PROJECT}:{KEY}'; start from Pulumi.dev.yaml or Pulumi.local.yaml"
        )
    region = pulumi.Config("aws").get("region")  # noqa: TID251 - this is the one place
    return parse(data, kind_of(data), region=region), region


def kind_of(data: Any) -> type[StackConfig]:
    """The model of a stack file's data: the keys `tenant` and `layer` tell."""
    keys = data if isinstance(data, dict) else {}
    if "tenant" in keys:
        return TenantStackConfig
    return FoundationStackConfig if "layer" in keys else PlatformConfig
