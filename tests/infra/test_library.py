"""The packages as a library: what a project of somebody else's gets from the wheel."""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from infra.config import CHECKOUT
from local.paths import Cache
from tests.harness.own_environment import interpreter, uv_or_skip

pytestmark = [pytest.mark.unit, pytest.mark.slow]

PACKAGES = ("infra", "components", "inference", "agents", "agent_runtime", "local")
UNPACKED = ("__pycache__", ".venv")
PROGRAM = """
import sys
from pathlib import Path

import pulumi
import yaml


class Cloud(pulumi.runtime.Mocks):
    def new_resource(self, args):
        made.append(args.typ)
        known = {key: args.name for key in ("arn", "bucket", "repositoryUrl")}
        return f"{args.name}-id", known | dict(args.inputs)

    def call(self, args):
        return {"accountId": "111122223333"}


made = []
pulumi.runtime.set_mocks(Cloud(), project="theirs", stack="theirs")

from components.tenant import Tenant, TenantConfig
from infra import stack
from infra.config import kind_of, parse


@pulumi.runtime.test
def tenant():
    return Tenant("team-a", config=TenantConfig()).namespace


@pulumi.runtime.test
def platform():
    data = yaml.safe_load(Path(sys.argv[1]).read_text())["config"]["agentic-platform:platform"]
    data["agentService"]["image"], data["imageBuilds"] = "registry.example/agent:1", {}
    # The SDK's mocks know no resource hooks, which only a cluster of the stack's own has.
    existing = {"kubeconfig": "/etc/theirs", "context": "theirs", "eksName": "theirs"}
    gone = ("network", "karpenter", "loadBalancerController")
    data |= {"cluster": {"existing": existing}, "gpuPools": {}, "cpuPools": {}}
    data |= dict.fromkeys(gone)
    config = parse(data, kind_of(data), region="us-west-2")
    return pulumi.Output.from_input(stack.build(config, "us-west-2")["gateway"])


tenant()
assert "kubernetes:core/v1:ResourceQuota" in made, made
platform()
print(len(made), stack.__file__)
"""


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        [*map(str, command)], cwd=cwd, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as a release is."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [uv_or_skip(), "build", "--wheel", "--quiet", "--out-dir", str(folder)]
    made = subprocess.run(build, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"the wheel can't be built: {made.stderr[-500:]}")
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with what the program needs, and without this checkout."""
    wanted = tmp_path_factory.mktemp("library") / "requirements.txt"
    export = ["export", "--frozen", "--no-default-groups", "--group", "infra", "--quiet"]
    run(uv_or_skip(), *export, "--no-emit-project", "--no-header", "-o", wanted, cwd=CHECKOUT)
    digest = hashlib.sha256(wanted.read_bytes() + sys.version.encode()).hexdigest()[:16]
    return interpreter(Cache.default().root / "library" / digest, "-r", wanted)


def test_the_wheel_has_every_file_of_its_packages(wheel: Path) -> None:
    wanted = {
        str(path.relative_to(CHECKOUT))
        for package in PACKAGES
        for path in (CHECKOUT / package).rglob("*")
        if path.is_file() and not {*UNPACKED} & {*path.parts}
    }
    missing = wanted - {*zipfile.ZipFile(wheel).namelist()}
    assert missing == set()
    assert len(wanted) > 500


def test_another_project_makes_a_tenant_and_a_platform_from_it(
    wheel: Path, python: Path, tmp_path: Path
) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    program = tmp_path / "site" / "theirs.py"
    program.write_text(PROGRAM, encoding="utf-8")
    count, place = run(python, program, CHECKOUT / "Pulumi.prod.yaml", cwd=tmp_path).split()
    assert place.startswith(str(tmp_path))
    assert int(count) > 300
