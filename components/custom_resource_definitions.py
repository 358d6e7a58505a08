"""Kinds that several components share, from the upstream projects' pinned release files."""

import pulumi
from pulumi_kubernetes.yaml.v2 import ConfigFile

from components.versions import CRD_BUNDLES, CrdBundle


class CustomResourceDefinitions(pulumi.ComponentResource):
    """The definitions of one project; what uses its kinds depends on this."""

    def __init__(
        self, name: str, *, bundle: CrdBundle, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("agentic:cluster:CustomResourceDefinitions", name, None, opts)
        source = CRD_BUNDLES[bundle]
        ConfigFile(
            name,
            file=source.url.format(version=source.version),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
