"""One of the checkout's stacks, deployed by the real engine with a state of its own."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local import secrets
from local.crds import load
from local.engine import Engine, EngineResult
from local.kube import KubeClient
from local.paths import CHECKOUT, Cache, State
from local.preview import missing_crds
from local.preview.outcome import Verdict
from tests.harness.engine import FAST, pulumi
from tests.harness.manifests import manifests
from tests.infra.platforms import AUTO_MODE, data_of, stack_name
from tests.infra.stack_data import stack_text

AUTO_MODE_KIND = Path(__file__).with_name("auto_mode_kind.yaml")
QUIET = ("same", "refresh")


def kinds_of(name: str) -> list[Verdict]:
    """The kinds of a stack's Kubernetes objects, as if no server knew them."""
    found = {(each["apiVersion"], each["kind"]) for each in manifests(name)}
    return [Verdict("", "unknown-kind", version, kind) for version, kind in sorted(found)]


class Deployment:
    """A stack by the name of its golden file, such as `prod-auto-mode`."""

    def __init__(self, name: str, folder: Path, kubeconfig: Path) -> None:
        self.name = name
        self.stack = stack_name(name)
        self.state = State(folder)
        self.state.make()
        secrets.ensure(self.state.secrets)
        # Stacks that read each other share the folder.
        if not self.state.kubeconfig.is_symlink():
            self.state.kubeconfig.symlink_to(kubeconfig)
        self.client = KubeClient.from_kubeconfig(kubeconfig)
        self.engine = Engine(CHECKOUT, self.state, {"pulumi": pulumi()}, kubeconfig=kubeconfig)
        self.file = folder / f"Pulumi.{self.stack}.yaml"
        self.configure(data_of(name))

    def configure(self, data: Mapping[str, Any]) -> None:
        """From here on the stack file holds this."""
        text = stack_text(dict(data), like=self.stack)
        self.file.write_text(text.replace(".local/", f"{self.state.root}/"), encoding="utf-8")
        self.engine.ensure_stack(self.stack, config_file=self.file)

    def run(self, *args: str, **environment: str) -> EngineResult:
        """One command that must succeed."""
        result = self.attempt(*args, **environment)
        assert result.ok, result.errors
        return result

    def attempt(self, *args: str, **environment: str) -> EngineResult:
        """One command; whether it succeeds is the caller's to judge."""
        return self.engine.run(*args, stack=self.stack, environment=FAST | environment)

    def load_crds(self) -> None:
        """Those that the charts, or EKS itself, would bring: a stand-in installs no charts."""
        needed: list[str | Path] = [*missing_crds(kinds_of(self.name))]
        if self.name == AUTO_MODE:
            needed.append(AUTO_MODE_KIND)
        if needed:
            load(self.state.kubeconfig, needed, cache=Cache.default())

    def changed(self, *args: str) -> dict[str, str]:
        """URN to operation of every step that does something."""
        steps = self.run(*args).steps
        return {step.urn: step.operation for step in steps if step.operation not in QUIET}

    def exported(self) -> str:
        """The state as it lies on disk."""
        folder = self.state.pulumi_state / ".pulumi" / "stacks" / "agentic-platform"
        return (folder / f"{self.stack}.json").read_text(encoding="utf-8")

    def urns(self) -> list[str]:
        """What the state holds, sorted, without the stack itself."""
        latest = json.loads(self.exported())["checkpoint"]["latest"]
        urns = [each["urn"] for each in latest.get("resources") or []]
        return sorted(urn for urn in urns if "::pulumi:pulumi:Stack::" not in urn)

    def namespaces(self) -> set[str]:
        return {each["metadata"]["name"] for each in self.client.list("v1", "Namespace")}


def short(urn: str) -> str:
    """`NodePool gpu-inference-pool`: type and name of a URN, for people."""
    _, _, types, name = urn.split("::", 3)
    return f"{types.rpartition('$')[2].rpartition(':')[2]} {name}"
