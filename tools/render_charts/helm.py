"""The real Helm: a chart is fetched once and rendered twice."""

import ipaddress
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tools.render_charts.release import Release

SECONDS = 180


class HelmError(Exception):
    """What Helm said, in one line."""


@dataclass
class Helm:
    """One program with caches of its own, so that nothing of the user's is read or changed."""

    program: Path
    folder: Path
    """For archives and caches."""
    archives: dict[tuple[str, str, str], Path] = field(default_factory=dict)

    def render(self, release: Release) -> str:
        """The manifests, hooks too, tests not; HelmError, one line, when there are none."""
        archive = self._archive(release)
        values = self.folder / f"{release.name}.json"
        values.write_text(release.values)
        command = ["template", release.name, str(archive), "--namespace", release.namespace]
        command += ["--values", str(values), "--kube-version", release.kubernetes, "--skip-tests"]
        command += ["--include-crds"] if release.with_definitions else ["--skip-crds"]
        for name in release.api_versions:
            command += ["--api-versions", name]
        return self._run(command)

    def _archive(self, release: Release) -> Path:
        wanted = (release.repository, release.chart, release.version)
        if wanted not in self.archives:
            folder = self.folder / f"chart-{len(self.archives)}-{release.name}"
            folder.mkdir()
            command = ["pull", release.chart, "--destination", str(folder)]
            command += ["--version", release.version] if release.version else []
            command += ["--repo", release.repository] if release.repository else []
            command += ["--plain-http"] if _on_this_machine(release.chart) else []
            self._run(command)
            (self.archives[wanted],) = folder.glob("*.tgz")
        return self.archives[wanted]

    def _run(self, arguments: list[str]) -> str:
        try:
            done = subprocess.run(
                [str(self.program), *arguments],
                env=self._environment(os.environ),
                capture_output=True,
                text=True,
                errors="replace",
                timeout=SECONDS,
                stdin=subprocess.DEVNULL,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise HelmError(f"no answer within {SECONDS} s") from None
        if done.returncode != 0:
            said = [it for it in done.stderr.splitlines() if it.startswith("Error:")]
            raise HelmError(" ".join((said or done.stderr.splitlines())[-1:]).strip()[:500])
        return done.stdout

    def _environment(self, given: Mapping[str, str]) -> dict[str, str]:
        own = {
            f"HELM_{name}_HOME": str(self.folder / name.lower())
            for name in ("CACHE", "CONFIG", "DATA")
        }
        kept = {name: value for name, value in given.items() if not name.startswith("HELM_")}
        # a registry's credentials stay where `helm registry login` or Docker put them
        registry = {name: given[name] for name in ("HELM_REGISTRY_CONFIG",) if name in given}
        return kept | own | registry | {"KUBECONFIG": os.devnull}


def _on_this_machine(chart: str) -> bool:
    """Whether a registry answers on loopback, where Helm is told to do without TLS."""
    host = urlsplit(chart).hostname if chart.startswith("oci://") else None
    try:
        return host is not None and ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
