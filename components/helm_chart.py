"""One pinned release of an upstream chart."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import pulumi

from components.child_options import child_options
from components.versions import CHARTS, Chart

RELEASE = "kubernetes:helm.sh/v3:Release"
INSTALL_TIMEOUT_SECONDS = 900
RECORDS_NAMESPACE = "kube-system"
"""Where a chart of definitions alone keeps the record of its release: without Pods it waits for
nothing. When the engine refuses to delete something protected, it walks every path through what
that waits for (resource/graph/dependency_graph.go): from deep in a stack this takes hours."""
KEEP = {"helm.sh/resource-policy": "keep"}
"""Annotation of what Helm leaves behind when a release goes: kinds that others have objects of."""


def pinned_chart(name: str) -> Chart:
    """The chart of that name in `components/versions.py`; ValueError names the nearest one."""
    if name in CHARTS:
        return CHARTS[name]
    near = get_close_matches(name, CHARTS, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    raise ValueError(
        f"chart '{name}' is not in components/versions.py.{hint} Known: {', '.join(sorted(CHARTS))}"
    )


def release_spec(
    chart: Chart, *, namespace: Any, values: Mapping[str, Any], mirror: str | None = None
) -> dict[str, Any]:
    """Properties of a Helm release; `mirror` is an OCI folder used in place of every repository.

    CRDs come from charts of their own, so that an uninstall never takes the objects with it.
    """
    repository = mirror or chart.repository
    spec: dict[str, Any] = {
        "version": chart.version,
        "namespace": namespace,
        "values": dict(values),
        "skipCrds": True,
        "timeout": INSTALL_TIMEOUT_SECONDS,
        "atomic": True,
        "compat": "true",
    }
    if repository.startswith("oci://"):
        return spec | {"chart": f"{repository.rstrip('/')}/{chart.name}"}
    return spec | {"chart": chart.name, "repositoryOpts": {"repo": repository}}


class HelmChart(pulumi.ComponentResource):
    """A release of a chart pinned in `components/versions.py`.

    `values` carry no secret: a chart reads one from the Secret that its `existingSecret` names.
    """

    release: pulumi.CustomResource
    """What objects of this chart's kinds depend on."""

    def __init__(
        self,
        name: str,
        *,
        chart: str,
        namespace: pulumi.Input[str],
        values: Mapping[str, Any],
        release_name: str | None = None,
        mirror: str | None = None,
        skip_crds: bool = True,
        wait: bool = True,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`wait=False` is for what can't become ready before something that comes later."""
        super().__init__("agentic:cluster:HelmChart", name, None, opts)
        spec = release_spec(pinned_chart(chart), namespace=namespace, values=values, mirror=mirror)
        spec |= {"name": release_name or name, "skipCrds": skip_crds}
        # The SDK's class registers the very same resource, but takes long to import.
        self.release = pulumi.CustomResource(
            RELEASE,
            name,
            spec | {"atomic": wait, "skipAwait": not wait},
            child_options(self, opts),
        )
        self.register_outputs({})
