"""Who the controllers are: ServiceAccounts of their own, with the rights that their projects grant.

The rules come out of the very modules that the programs are built from: KEDA's generated roles,
and the templates of the chart beside Karpenter's core, which name things and decide nothing.
"""

import dataclasses
import json
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from local.kube import KubeClient, Manifest
from local.kubeconfig import Kubeconfig
from local.paths import CHECKOUT, Cache
from local.report import UserError
from local.toolchain import go
from tests.scaling.controllers import KARPENTER_NAMESPACE, KEDA_NAMESPACE, Surroundings

ACCOUNTS = {"karpenter": KARPENTER_NAMESPACE, "keda-operator": KEDA_NAMESPACE}
"""The account of each controller and where it lives; KEDA's adapter has its operator's."""
CHART = ("clusterrole.yaml", "clusterrole-kwok.yaml", "role.yaml", "rolebinding.yaml")
KEDA_FILES = (
    *("rbac/role.yaml", "rbac/role_binding.yaml"),
    *("metrics-server/role.yaml", "metrics-server/role_binding.yaml"),
)
NAMES = {
    '{{ include "karpenter.fullname" . }}': "karpenter",
    '{{ template "karpenter.serviceAccountName" . }}': "karpenter",
    "{{ .Release.Namespace }}": KARPENTER_NAMESPACE,
}
EMPTY = re.compile(r"^\s*\{\{-?\s*(include|with|toYaml|end)\b")
"""Labels, and blocks that stand for values which are empty by default."""
TOKEN_SECONDS = 7200
REFUSED = re.compile(
    r'is forbidden: User \\*"system:serviceaccount:([\w:-]+?)\\*" '
    r'cannot (\w+) resource \\*"([\w/]+?)\\*"'
)


def published() -> list[Manifest]:
    """Roles and bindings of Karpenter and KEDA; UserError when their modules can't be had."""
    found: list[Manifest] = []
    templates = _source("karpenter", "sigs.k8s.io/karpenter") / "kwok" / "charts" / "templates"
    for name in CHART:
        found += rendered((templates / name).read_text())
    config = _source("keda", "github.com/kedacore/keda/v2") / "config"
    for name in KEDA_FILES:
        found += [each for each in yaml.safe_load_all((config / name).read_text()) if each]
    return found


def rendered(template: str) -> list[Manifest]:
    """A template of the chart with default values; ValueError when more than names vary in it."""
    for placeholder, name in NAMES.items():
        template = template.replace(placeholder, name)
    lines = [line for line in template.splitlines() if not EMPTY.match(line)]
    if unknown := [line for line in lines if "{{" in line]:
        raise ValueError(f"not a name of the chart: {unknown[0].strip()}")
    found: list[Manifest] = []
    for manifest in yaml.safe_load_all("\n".join(lines)):
        meta = {key: value for key, value in manifest["metadata"].items() if value is not None}
        found.append(manifest | {"metadata": meta})
    return found


def _source(tool: str, module: str) -> Path:
    """The folder of a module that a tool is built from, downloaded where it is not at hand."""
    folder = CHECKOUT / "tools" / "go" / tool
    toolchain = go.at_hand(go.required(folder), Cache.default())
    if toolchain is None:
        raise UserError("no Go toolchain: run `python -m local tools --scaling`")
    with tempfile.TemporaryDirectory() as temporary:
        done = subprocess.run(
            [str(toolchain.program), "mod", "download", "-json", module],
            cwd=folder,
            env=toolchain.environment(temporary=Path(temporary)),
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise UserError(f"{module}: {done.stderr.strip().splitlines()[-1]}")
    return Path(json.loads(done.stdout)["Dir"])


def grant(client: KubeClient, around: Surroundings, roles: Iterable[Manifest]) -> None:
    """Make accounts and rights, and write the kubeconfig of each account."""
    for account, namespace in ACCOUNTS.items():
        client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        meta = {"name": account, "namespace": namespace}
        client.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
    for manifest in roles:
        client.apply(manifest)
    admin = Kubeconfig.read(around.kubeconfig, None)
    for account, namespace in ACCOUNTS.items():
        login = dataclasses.replace(admin, token=_token(client, account, namespace))
        login.write(around.login(account), context="scaling", user=account)


def _token(client: KubeClient, account: str, namespace: str) -> str:
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": TOKEN_SECONDS},
    }
    path = client.path("v1", "ServiceAccount", namespace, account)
    return str(client.request("POST", f"{path}/token", body=request)["status"]["token"])


def revoke(client: KubeClient, role: str, resource: str) -> None:
    """Take from a ClusterRole every rule that lets its holder write `resource`."""
    found = client.get("rbac.authorization.k8s.io/v1", "ClusterRole", role)
    kept = [rule for rule in found["rules"] if not _writes(rule, resource)]
    assert len(kept) < len(found["rules"]), f"{role} has no rule for {resource}"
    client.replace(found | {"rules": kept})


def _writes(rule: dict[str, Any], resource: str) -> bool:
    return resource in rule["resources"] and not {"create", "update"}.isdisjoint(rule["verbs"])


def refusals(logs: Iterable[Path]) -> Iterator[str]:
    """`keda:keda-operator create horizontalpodautoscalers`, as often as a log says so."""
    for log in logs:
        for account, verb, resource in REFUSED.findall(log.read_text(errors="replace")):
            yield f"{account} {verb} {resource}"
