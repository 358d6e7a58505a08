"""The remote components of pulumi-eks: recorded children, and outputs that follow from them."""

import json
from typing import Any

from local.standin.construct import Child, Component
from local.standin.kubernetes.cluster import taker
from local.standin.recording.identity import Account, Inventor, tables
from local.standin.wire import UNKNOWN, Properties, decode

CLUSTER = "aws:eks/cluster:Cluster"
NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
PASSED_ON = (
    "name",
    "version",
    "accessConfig",
    "deletionProtection",
    "enabledClusterLogTypes",
    "tags",
)


def known_components() -> list[str]:
    return sorted(tables()["components"])


def build(component: Component, account: Account) -> Properties:
    """Children and outputs of one component; outputs are unknown until the children exist."""
    inputs = decode(component.request.inputs)
    place = account.seen_in(inputs)
    inventor = Inventor(component.urn, inputs, place)
    if component.request.type == "eks:index:Cluster":
        return _cluster(component, inputs)
    outputs = inventor.component()
    if component.request.type == "eks:index:ManagedNodeGroup":
        made = component.child(NODE_GROUP, component.request.name, _node_group(inputs))
        return {"nodeGroup": made.reference}
    return outputs


def _cluster(component: Component, inputs: Properties) -> Properties:
    own = {key: inputs[key] for key in PASSED_ON if key in inputs}
    own["vpcConfig"] = {
        "subnetIds": [*_listed(inputs, "privateSubnetIds"), *_listed(inputs, "publicSubnetIds")],
        "endpointPrivateAccess": inputs.get("endpointPrivateAccess", False),
        "endpointPublicAccess": inputs.get("endpointPublicAccess", True),
        "publicAccessCidrs": _listed(inputs, "publicAccessCidrs"),
    }
    own["accessConfig"] = {"authenticationMode": inputs.get("authenticationMode", "CONFIG_MAP")}
    if key := inputs.get("encryptionConfigKeyArn"):
        own["encryptionConfig"] = {"provider": {"keyArn": key}, "resources": ["secrets"]}
    made = component.child(CLUSTER, f"{component.request.name}-eksCluster", own)
    for name, entry in (inputs.get("accessEntries") or {}).items():
        component.child(
            "aws:eks/accessEntry:AccessEntry",
            f"{component.request.name}-{name}",
            {
                "clusterName": made.outputs.get("name", UNKNOWN),
                "principalArn": entry.get("principalArn"),
            },
        )
    return _cluster_outputs(made)


def _listed(inputs: Properties, key: str) -> list[Any]:
    found = inputs.get(key)
    return found if isinstance(found, list) else [found] if found else []


def _node_group(inputs: Properties) -> Properties:
    dropped = {"cluster", "launchTemplate", "nodeRole"}
    return {key: value for key, value in inputs.items() if key not in dropped}


def _cluster_outputs(made: Child) -> Properties:
    """What pulumi-eks computes from its control plane; unknown while that is."""
    cluster = made.outputs
    known = "endpoint" in cluster
    groups = cluster.get("vpcConfig") or {}
    group = groups.get("clusterSecurityGroupId", UNKNOWN) if known else UNKNOWN
    text = kubeconfig(cluster) if known else UNKNOWN
    issuer = cluster["identities"][0]["oidcs"][0]["issuer"] if known else UNKNOWN
    shape = {
        "kubeconfig": json.loads(text) if known else UNKNOWN,
        "kubeconfigJson": text,
        "clusterSecurityGroupId": group,
        "nodeSecurityGroupId": group,
        "oidcProviderUrl": issuer,
        "oidcIssuer": issuer.removeprefix("https://") if known else UNKNOWN,
        "eksCluster": made.reference,
    }
    return shape | {
        "core": {"endpoint": cluster.get("endpoint", UNKNOWN), "kubeconfig": shape["kubeconfig"]}
    }


def kubeconfig(cluster: Properties) -> str:
    """JSON as pulumi-eks renders it, for the API server that takes the objects of recorded
    clusters; without one, for an address that no name server will ever know."""
    name = cluster["name"]
    server = taker() or {
        "server": cluster["endpoint"],
        "certificate-authority-data": cluster["certificateAuthority"]["data"],
    }
    login = {"command": "aws", "args": ["eks", "get-token", "--cluster-name", name]}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": server}],
            "users": [{"name": name, "user": {"exec": login}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
        }
    )
