"""The real Pulumi engine for tests: a project with the tiny program, a state, the stand-ins."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from local.engine import Engine, EngineResult
from local.paths import CHECKOUT, Cache, State
from local.toolchain import cached

PROGRAM = Path(__file__).with_name("program")
STACK = "test"
FAST = {"PULUMI_SKIP_CHECKPOINTS": "true"}
"""For runs that nobody kills: state is written once, at the end."""


def pulumi() -> Path:
    """The CLI that `make up` installed."""
    return cached(("pulumi",), Cache.default())["pulumi"]


class Project:
    """One checkout-like folder with the tiny program and a state beside it."""

    def __init__(self, folder: Path, kubeconfig: Path | None = None) -> None:
        self.root = folder / "project"
        self.root.mkdir(parents=True)
        (self.root / "program").mkdir()
        shutil.copy(PROGRAM / "Pulumi.yaml", self.root / "Pulumi.yaml")
        shutil.copy(PROGRAM / "__main__.py", self.root / "program" / "__main__.py")
        self.stack_file = self.root / f"Pulumi.{STACK}.yaml"
        self.stack_file.write_text('config:\n  pulumi:disable-default-providers: ["*"]\n')
        self.kubeconfig = kubeconfig
        self.state = State(folder / "state")
        self.engine = self.new_engine()
        self.document: dict[str, Any] = {}

    def new_engine(self) -> Engine:
        return Engine(self.root, self.state, {"pulumi": pulumi()}, kubeconfig=self.kubeconfig)

    def resources(self, *entries: Mapping[str, Any], **more: Any) -> None:
        """What the program makes from here on; `more` are other keys of its document."""
        providers: dict[str, Any] = {}
        if any(str(entry["type"]).startswith("kubernetes:") for entry in entries):
            config = {"kubeconfig": str(self.kubeconfig), "clusterIdentifier": "test"}
            providers["kubernetes"] = config
        document = {"providers": providers | more.pop("providers", {}), "resources": [*entries]}
        text = yaml.safe_dump(document | more, sort_keys=False)
        (self.root / "resources.yaml").write_text(text, encoding="utf-8")

    def run(self, *args: str, stack: str = STACK, **environment: str) -> EngineResult:
        self.engine.ensure_stack(stack)
        return self.engine.run(*args, stack=stack, environment=FAST | environment)

    def add_stack(self, stack: str) -> None:
        """Another stack of the project, made before runs side by side want it."""
        shutil.copy(self.stack_file, self.root / f"Pulumi.{stack}.yaml")
        self.engine.ensure_stack(stack)

    def up(self, *args: str, **environment: str) -> EngineResult:
        """Deploy; a failure shows the engine's own errors."""
        result = self.run("up", "--yes", "--skip-preview", *args, **environment)
        assert result.ok, result.errors
        return result

    def preview(self, *args: str, **environment: str) -> EngineResult:
        return self.run("preview", *args, **environment)

    def refused(self, **environment: str) -> str:
        """The errors of a preview that must fail."""
        result = self.preview(**environment)
        assert not result.ok
        return "\n".join(result.errors)

    def destroy(self, stack: str = STACK, **environment: str) -> EngineResult:
        result = self.run("destroy", "--yes", "--skip-preview", stack=stack, **environment)
        assert result.ok, result.errors
        return result

    def exported(self, stack: str = STACK) -> dict[str, Any]:
        """The state as it lies on disk: secrets are encrypted in it."""
        file = self.state.pulumi_state / ".pulumi" / "stacks" / "tiny" / f"{stack}.json"
        latest: dict[str, Any] = json.loads(file.read_text())["checkpoint"]["latest"]
        return latest

    def recorded(self, name: str, stack: str = STACK) -> dict[str, Any]:
        """One resource out of the state."""
        resources: Sequence[dict[str, Any]] = self.exported(stack).get("resources", [])
        return next(r for r in resources if r["urn"].endswith(f"::{name}"))


def kubernetes(kind: str, name: str, properties: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """An entry for `Project.resources`; `kind` as in `apps/v1:Deployment`."""
    return {"type": f"kubernetes:{kind}", "name": name, "properties": dict(properties)} | more


def config_map(name: str, namespace: str, data: Mapping[str, str], **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    properties = {"metadata": metadata, "data": dict(data)}
    return kubernetes("core/v1:ConfigMap", name, properties, **more)


__all__ = ["CHECKOUT", "FAST", "STACK", "Project", "config_map", "kubernetes", "pulumi"]
