"""Every version that the platform deploys: charts, images, CRD bundles, EKS add-ons, node images.

Each entry stands under a line that a dependency bot reads, so an update is a change of one string.
"""

from typing import Final, Literal, NamedTuple


class Chart(NamedTuple):
    """One pinned Helm chart; an `oci://` repository is the folder that holds the chart."""

    name: str
    repository: str
    version: str


class ManifestBundle(NamedTuple):
    """A file of plain manifests at an address that names its version."""

    url: str
    version: str


KUBERNETES_VERSIONS: Final = ("1.33", "1.34", "1.35")
"""What the add-ons, charts and schemas below are known to work with."""

# renovate: datasource=endoflife-date depName=amazon-eks
KUBERNETES_VERSION: Final = "1.34"

CHARTS: Final[dict[str, Chart]] = {
    # renovate: datasource=docker depName=cr.agentgateway.dev/charts/agentgateway
    "agentgateway": Chart("agentgateway", "oci://cr.agentgateway.dev/charts", "v1.4.1"),
    # renovate: datasource=docker depName=cr.agentgateway.dev/charts/agentgateway-crds
    "agentgateway-crds": Chart("agentgateway-crds", "oci://cr.agentgateway.dev/charts", "v1.4.1"),
    # renovate: datasource=helm depName=aws-efa-k8s-device-plugin registryUrl=https://aws.github.io/eks-charts
    "aws-efa-k8s-device-plugin": Chart(
        "aws-efa-k8s-device-plugin", "https://aws.github.io/eks-charts", "v0.5.30"
    ),
    # renovate: datasource=helm depName=aws-load-balancer-controller registryUrl=https://aws.github.io/eks-charts
    "aws-load-balancer-controller": Chart(
        "aws-load-balancer-controller", "https://aws.github.io/eks-charts", "3.5.0"
    ),
    # renovate: datasource=helm depName=cert-manager registryUrl=https://charts.jetstack.io
    "cert-manager": Chart("cert-manager", "https://charts.jetstack.io", "v1.21.1"),
    # renovate: datasource=helm depName=cilium registryUrl=https://helm.cilium.io
    "cilium": Chart("cilium", "https://helm.cilium.io", "1.20.0"),
    # renovate: datasource=docker depName=ghcr.io/clickhouse/clickhouse-operator-helm
    "clickhouse-operator": Chart("clickhouse-operator-helm", "oci://ghcr.io/clickhouse", "0.0.5"),
    # renovate: datasource=helm depName=dcgm-exporter registryUrl=https://nvidia.github.io/dcgm-exporter/helm-charts
    "dcgm-exporter": Chart(
        "dcgm-exporter", "https://nvidia.github.io/dcgm-exporter/helm-charts", "4.8.2"
    ),
    # renovate: datasource=helm depName=external-secrets registryUrl=https://charts.external-secrets.io
    "external-secrets": Chart("external-secrets", "https://charts.external-secrets.io", "2.9.0"),
    # renovate: datasource=helm depName=base registryUrl=https://istio-release.storage.googleapis.com/charts
    "istio-base": Chart("base", "https://istio-release.storage.googleapis.com/charts", "1.30.3"),
    # renovate: datasource=helm depName=cni registryUrl=https://istio-release.storage.googleapis.com/charts
    "istio-cni": Chart("cni", "https://istio-release.storage.googleapis.com/charts", "1.30.3"),
    # renovate: datasource=helm depName=istiod registryUrl=https://istio-release.storage.googleapis.com/charts
    "istiod": Chart("istiod", "https://istio-release.storage.googleapis.com/charts", "1.30.3"),
    # renovate: datasource=docker depName=ghcr.io/kagent-dev/kagent/helm/kagent
    "kagent": Chart("kagent", "oci://ghcr.io/kagent-dev/kagent/helm", "0.9.12"),
    # renovate: datasource=docker depName=ghcr.io/kagent-dev/kagent/helm/kagent-crds
    "kagent-crds": Chart("kagent-crds", "oci://ghcr.io/kagent-dev/kagent/helm", "0.9.12"),
    # renovate: datasource=docker depName=public.ecr.aws/karpenter/karpenter
    "karpenter": Chart("karpenter", "oci://public.ecr.aws/karpenter", "1.14.1"),
    # renovate: datasource=docker depName=public.ecr.aws/karpenter/karpenter-crd
    "karpenter-crd": Chart("karpenter-crd", "oci://public.ecr.aws/karpenter", "1.14.1"),
    # renovate: datasource=helm depName=keda registryUrl=https://kedacore.github.io/charts
    "keda": Chart("keda", "https://kedacore.github.io/charts", "2.20.2"),
    # renovate: datasource=docker depName=cr.kgateway.dev/kgateway-dev/charts/kgateway
    "kgateway": Chart("kgateway", "oci://cr.kgateway.dev/kgateway-dev/charts", "v2.4.4"),
    # renovate: datasource=docker depName=cr.kgateway.dev/kgateway-dev/charts/kgateway-crds
    "kgateway-crds": Chart("kgateway-crds", "oci://cr.kgateway.dev/kgateway-dev/charts", "v2.4.4"),
    # renovate: datasource=helm depName=kube-prometheus-stack registryUrl=https://prometheus-community.github.io/helm-charts
    "kube-prometheus-stack": Chart(
        "kube-prometheus-stack", "https://prometheus-community.github.io/helm-charts", "88.5.3"
    ),
    # renovate: datasource=helm depName=langfuse registryUrl=https://langfuse.github.io/langfuse-k8s
    "langfuse": Chart("langfuse", "https://langfuse.github.io/langfuse-k8s", "2.0.0"),
    # renovate: datasource=docker depName=registry.k8s.io/lws/charts/lws
    "lws": Chart("lws", "oci://registry.k8s.io/lws/charts", "0.10.0"),
    # renovate: datasource=helm depName=milvus registryUrl=https://zilliztech.github.io/milvus-helm/
    "milvus": Chart("milvus", "https://zilliztech.github.io/milvus-helm/", "5.0.19"),
    # renovate: datasource=helm depName=nvidia-device-plugin registryUrl=https://nvidia.github.io/k8s-device-plugin
    "nvidia-device-plugin": Chart(
        "nvidia-device-plugin", "https://nvidia.github.io/k8s-device-plugin", "0.20.0"
    ),
    # renovate: datasource=docker depName=registry.k8s.io/dra-driver-nvidia/charts/dra-driver-nvidia-gpu  # noqa: E501 - one line to the bot
    "nvidia-dra-driver-gpu": Chart(
        "dra-driver-nvidia-gpu", "oci://registry.k8s.io/dra-driver-nvidia/charts", "0.4.1"
    ),
    # renovate: datasource=helm depName=opencost registryUrl=https://opencost.github.io/opencost-helm-chart
    "opencost": Chart("opencost", "https://opencost.github.io/opencost-helm-chart", "2.5.17"),
    # renovate: datasource=helm depName=valkey registryUrl=https://valkey.io/valkey-helm/
    "valkey": Chart("valkey", "https://valkey.io/valkey-helm/", "0.11.0"),
}

CrdBundle = Literal["gateway-api", "inference-extension", "prometheus-operator"]

CRD_BUNDLES: Final[dict[CrdBundle, ManifestBundle]] = {
    "gateway-api": ManifestBundle(
        "https://github.com/kubernetes-sigs/gateway-api/releases/download/{version}/standard-install.yaml",
        # renovate: datasource=github-releases depName=kubernetes-sigs/gateway-api
        "v1.6.1",
    ),
    "inference-extension": ManifestBundle(
        "https://github.com/kubernetes-sigs/gateway-api-inference-extension/releases/download/{version}/manifests.yaml",
        # renovate: datasource=github-releases depName=kubernetes-sigs/gateway-api-inference-extension  # noqa: E501 - one line to the bot
        "v1.6.0",
    ),
    "prometheus-operator": ManifestBundle(
        "https://github.com/prometheus-operator/prometheus-operator/releases/download/{version}/stripped-down-crds.yaml",
        # renovate: datasource=github-releases depName=prometheus-operator/prometheus-operator
        "v0.93.1",
    ),
}
"""Kinds that no single chart owns: several components make objects of them."""

IMAGES: Final[dict[str, str]] = {
    # renovate: datasource=docker depName=registry.k8s.io/gateway-api-inference-extension/bbr
    "body-based-router": "registry.k8s.io/gateway-api-inference-extension/bbr:v1.5.0",
    # renovate: datasource=docker depName=registry.k8s.io/gateway-api-inference-extension/epp
    "endpoint-picker": "registry.k8s.io/gateway-api-inference-extension/epp:v1.5.0",
    # renovate: datasource=docker depName=docker.io/envoyproxy/envoy
    "envoy": "docker.io/envoyproxy/envoy:v1.40.0",
    # renovate: datasource=docker depName=ghcr.io/ggml-org/llama.cpp versioning=regex:^server-b(?<major>\d+)$  # noqa: E501 - one line to the bot
    "llama-cpp": "ghcr.io/ggml-org/llama.cpp:server-b6869",
    # follows tools/go/ratelimit/go.mod: its images are tagged with commits
    "ratelimit": "docker.io/envoyproxy/ratelimit:3fb70258",
    # renovate: datasource=docker depName=registry.k8s.io/pause
    "pause": "registry.k8s.io/pause:3.10.1",
    # renovate: datasource=docker depName=docker.io/lmsysorg/sglang
    "sglang": "docker.io/lmsysorg/sglang:v0.5.23",
    # renovate: datasource=docker depName=ghcr.io/huggingface/text-generation-inference
    "tgi": "ghcr.io/huggingface/text-generation-inference:3.3.6",
    # renovate: datasource=docker depName=docker.io/valkey/valkey
    "valkey": "docker.io/valkey/valkey:9.1.1",
    # renovate: datasource=docker depName=docker.io/vllm/vllm-openai
    "vllm": "docker.io/vllm/vllm-openai:v0.32.0",
}

RUNTIME_IMAGE_REPOSITORY: Final = "agentic-platform/agent-runtime"
"""The ECR repository of the agent runtime; its tag or digest is stack data."""

LOCAL_RUNTIME_IMAGE: Final = "process.local/agent-runtime:dev"
"""What the node agent of the local plane starts as plain processes."""

EKS_ADDONS: Final[dict[str, str]] = {
    # renovate: datasource=aws-eks-addon depName=aws-ebs-csi-driver kubernetesVersion=1.34
    "aws-ebs-csi-driver": "v1.56.0-eksbuild.1",
    # renovate: datasource=aws-eks-addon depName=coredns kubernetesVersion=1.34
    "coredns": "v1.13.2-eksbuild.1",
    # renovate: datasource=aws-eks-addon depName=eks-pod-identity-agent kubernetesVersion=1.34
    "eks-pod-identity-agent": "v1.3.10-eksbuild.2",
    # renovate: datasource=aws-eks-addon depName=metrics-server kubernetesVersion=1.34
    "metrics-server": "v0.8.0-eksbuild.5",
    # renovate: datasource=aws-eks-addon depName=vpc-cni kubernetesVersion=1.34
    "vpc-cni": "v1.21.1-eksbuild.1",
}

KUBE_PROXY_ADDON: Final[dict[str, str]] = {
    # renovate: datasource=aws-eks-addon depName=kube-proxy kubernetesVersion=1.33
    "1.33": "v1.33.8-eksbuild.4",
    # renovate: datasource=aws-eks-addon depName=kube-proxy kubernetesVersion=1.34
    "1.34": "v1.34.3-eksbuild.5",
    # renovate: datasource=aws-eks-addon depName=kube-proxy kubernetesVersion=1.35
    "1.35": "v1.35.0-eksbuild.2",
}
"""kube-proxy follows the control plane's minor version; the other add-ons serve all of them."""

# renovate: datasource=github-releases depName=awslabs/amazon-eks-ami versioning=loose
NODE_AMI: Final = "al2023@v20260903"
"""What `amiAlias: pinned` means: the node image of every Karpenter pool that asks for it."""
