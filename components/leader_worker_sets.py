"""LeaderWorkerSet's controller: Pods in groups, for servers that span several nodes."""

from pulumi import ComponentResource, Output, Resource, ResourceOptions

from components.child_options import child_options
from components.helm_chart import HelmChart
from components.kubernetes_object import kubernetes_object
from components.namespace import NamespaceConfig, namespace_manifest
from components.ordering import after

NAMESPACE = "lws-system"


class LeaderWorkerSets(ComponentResource):
    """The controller in a namespace of its own; the chart brings its kind."""

    namespace: Output[str]
    release: Resource
    """What LeaderWorkerSets depend on."""

    def __init__(self, name: str, *, opts: ResourceOptions | None = None) -> None:
        super().__init__("agentic:inference:LeaderWorkerSets", name, None, opts)
        home = kubernetes_object(
            NAMESPACE,
            namespace_manifest(NAMESPACE, NamespaceConfig(pod_security="restricted")),
            opts=child_options(self, opts),
        )
        chart = HelmChart(
            "lws",
            chart="lws",
            namespace=after(NAMESPACE, [home]),
            values={},
            skip_crds=False,
            opts=child_options(self, opts),
        )
        self.release = chart.release
        self.namespace = after(NAMESPACE, [chart.release])
        self.register_outputs({"namespace": self.namespace})
