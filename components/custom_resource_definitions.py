"""Kinds that several components share, from the upstream projects' pinned release files."""

import pulumi

from components.versions import CRD_BUNDLES, CrdBundle

MANIFEST_FILE = "kubernetes:yaml/v2:ConfigFile"


class CustomResourceDefinitions(pulumi.ComponentResource):
    """The definitions of one project; what uses its kinds depends on this."""

    def __init__(
        self, name: str, *, bundle: CrdBundle, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("agentic:cluster:CustomResourceDefinitions", name, None, opts)
        source = CRD_BUNDLES[bundle]
        # The SDK's class registers the very same component, but takes long to import.
        pulumi.ComponentResource(
            MANIFEST_FILE,
            name,
            {"file": source.url.format(version=source.version)},
            pulumi.ResourceOptions(parent=self),
            remote=True,
        )
        self.register_outputs({})
