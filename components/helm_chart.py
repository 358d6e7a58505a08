"""One pinned release of an upstream chart."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import pulumi
from pulumi_kubernetes.helm.v3 import Release, RepositoryOptsArgs

from components.child_options import child_options
from components.versions import CHARTS, Chart

INSTALL_TIMEOUT_SECONDS = 900


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
    """Arguments of a Helm release; `mirror` is an OCI folder used in place of every repository.

    CRDs come from charts of their own, so that an uninstall never takes the objects with it.
    """
    repository = mirror or chart.repository
    spec: dict[str, Any] = {
        "version": chart.version,
        "namespace": namespace,
        "values": dict(values),
        "skip_crds": True,
        "timeout": INSTALL_TIMEOUT_SECONDS,
        "atomic": True,
    }
    if repository.startswith("oci://"):
        return spec | {"chart": f"{repository.rstrip('/')}/{chart.name}"}
    return spec | {"chart": chart.name, "repository_opts": {"repo": repository}}


class HelmChart(pulumi.ComponentResource):
    """A release of a chart pinned in `components/versions.py`.

    `values` carry no secret: a chart reads one from the Secret that its `existingSecret` names.
    """

    release: Any
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
        repository = spec.pop("repository_opts", None)
        self.release = Release(
            name,
            name=release_name or name,
            repository_opts=RepositoryOptsArgs(**repository) if repository else None,
            **(spec | {"skip_crds": skip_crds, "atomic": wait, "skip_await": not wait}),
            opts=child_options(self, opts),
        )
        self.register_outputs({})
