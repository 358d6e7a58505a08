"""Write local/crds/lock.yaml from a folder of upstream CRD files.

    python tools/lock_crds.py FOLDER

FOLDER holds SOURCES.yaml (a list of {dir, version, source, commit, paths}) and one folder for each
`dir`. Go modules that carry some of the files are looked for in the Go module cache.
"""

import hashlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

LOCK = Path(__file__).resolve().parent.parent / "local" / "crds" / "lock.yaml"
HEADER = "# Made by tools/lock_crds.py: change its PROJECTS, not this file.\n"


class _OneLine(dict[str, Any]):
    """Written in flow style."""


class _Dumper(yaml.CSafeDumper):
    pass


_Dumper.add_representer(
    _OneLine,
    lambda dumper, value: dumper.represent_mapping("tag:yaml.org,2002:map", value, flow_style=True),
)


@dataclass(frozen=True)
class Project:
    """One release of a project whose CRDs the platform uses."""

    name: str
    folder: str
    default: bool = True
    """Whether the bare name means this release, where several are locked."""
    bundle: str = ""
    """Upstream file that holds all CRDs, where the folder has one file each."""
    module: str = ""
    """`path@version folder` of a Go module that carries some of the files."""


PROJECTS = (
    Project("gateway-api", "gateway-api-1.6.1-standard"),
    Project("kgateway", "kgateway-2.4"),
    Project("agentgateway", "agentgateway-1.4.1"),
    Project("kagent", "kagent-0.10.0-rc3"),
    Project("kagent", "kagent-0.9.12", default=False),
    Project("kmcp", "kmcp-0.3.0"),
    Project(
        "keda",
        "keda-2.20.2",
        module="github.com/kedacore/keda/v2@v2.20.2 config/crd/bases",
    ),
    Project(
        "karpenter",
        "karpenter-aws-1.14.1",
        module="sigs.k8s.io/karpenter@v1.14.1 pkg/apis/crds",
    ),
    Project("prometheus-operator", "prometheus-operator-0.93.0"),
    Project("external-secrets", "external-secrets-2.9.0"),
    Project("cert-manager", "cert-manager-1.21.1"),
    Project("inference-extension", "inference-extension-1.6.0"),
    Project("llm-d-router", "llm-d-router-0.10.0"),
    Project("lws", "lws-0.10.0"),
    Project("kyverno", "kyverno-1.19.0"),
    Project("istio", "istio-1.30.3", bundle="crd-all.gen.yaml"),
    Project("milvus-operator", "milvus-operator-1.3.8"),
)


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    root = Path(sys.argv[1])
    sources = {entry["dir"]: entry for entry in yaml.safe_load((root / "SOURCES.yaml").read_text())}
    modules = Path(
        subprocess.run(
            ["go", "env", "GOMODCACHE"], capture_output=True, text=True, check=True
        ).stdout.strip()
    )
    locked = [_project(project, sources[project.folder], root, modules) for project in PROJECTS]
    LOCK.write_text(HEADER + yaml.dump(locked, Dumper=_Dumper, sort_keys=False, width=1000))
    print(f"{LOCK}: {sum(len(project['files']) for project in locked)} files")
    return 0


def _project(project: Project, source: dict[str, Any], root: Path, modules: Path) -> dict[str, Any]:
    repository = source["source"].split()[0]
    record: dict[str, Any] = {
        "project": project.name,
        "version": str(source["version"]).split()[0],
        "default": project.default,
        "folder": project.folder,
        "repository": repository,
        "commit": source["commit"],
    }
    if project.module:
        record["module"] = project.module.split()[0]
    base = f"https://raw.githubusercontent.com/{repository}/{source['commit']}"
    files = []
    for file in sorted((root / project.folder).glob("*.yaml")):
        documents = _definitions(file)
        if not documents:
            continue
        path = _path(project, source["paths"], file.name)
        entry: dict[str, Any] = {
            "file": file.name,
            "url": f"{base}/{path}",
            "sha256": _sha256(file),
        }
        if project.bundle:
            entry["bundled"] = True
        if project.module:
            entry |= _in_module(project.module, file.name, modules)
        files.append(entry | {"crds": documents})
    return record | {"files": files}


def _definitions(file: Path) -> list[dict[str, Any]]:
    documents = yaml.load_all(file.read_text(), Loader=yaml.CSafeLoader)
    return [
        _definition(document)
        for document in documents
        if document and document["kind"] == "CustomResourceDefinition"
    ]


def _definition(crd: dict[str, Any]) -> dict[str, Any]:
    spec = crd["spec"]
    served = [version for version in spec["versions"] if version["served"]]
    # Only served versions can be written; the stored one comes first.
    served.sort(key=lambda version: not version["storage"])
    return _OneLine(
        name=crd["metadata"]["name"],
        kind=spec["names"]["kind"],
        scope=spec["scope"],
        versions=[version["name"] for version in served],
    )


def _path(project: Project, folders: list[str], name: str) -> str:
    if project.bundle:
        return f"{folders[0]}/{project.bundle}"
    # Where a project has several folders, each is named after the API group of its files.
    fitting = [folder for folder in folders if name.startswith(folder.rsplit("/", 1)[-1])]
    return f"{(fitting or folders)[0]}/{name}"


def _in_module(module: str, name: str, modules: Path) -> dict[str, Any]:
    where, folder = module.split()
    file = modules / where / folder / name
    if not file.exists():
        return {}
    # A project may publish a variant of the file there, hence a checksum of its own.
    return {"module_path": f"{folder}/{name}", "module_sha256": _sha256(file)}


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
