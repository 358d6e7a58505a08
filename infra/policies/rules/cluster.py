"""KMS and EKS: who gets in, what is encrypted, what is logged."""

from collections.abc import Iterable

from .rule import STRINGS, Finding, Resource, Rule, Setting, Settings, at, known, listed

CLUSTER = "aws:eks/cluster:Cluster"
KEY = "aws:kms/key:Key"
EVERYBODY = frozenset({"0.0.0.0/0", "::/0"})


def _rotation(resource: Resource, _: Settings) -> Iterable[Finding]:
    value = resource.props.get("enableKeyRotation")
    if known(value) and value is not True:
        yield Finding(f"enableKeyRotation is {value!r}", "true", "switch the rotation on")


def _authentication(resource: Resource, _: Settings) -> Iterable[Finding]:
    mode = at(resource.props, "accessConfig", "authenticationMode")
    if known(mode) and mode != "API":
        yield Finding(
            f"accessConfig.authenticationMode is {mode!r}",
            "'API'",
            "use access entries; nothing goes through aws-auth",
        )


def _private_endpoint(resource: Resource, _: Settings) -> Iterable[Finding]:
    value = at(resource.props, "vpcConfig", "endpointPrivateAccess")
    if known(value) and value is not True:
        yield Finding(
            f"vpcConfig.endpointPrivateAccess is {value!r}", "true", "switch the private door on"
        )


def _public_endpoint(resource: Resource, _: Settings) -> Iterable[Finding]:
    network = resource.props.get("vpcConfig")
    public = at(network, "endpointPublicAccess")
    ranges = at(network, "publicAccessCidrs")
    if public is False or not known(public) or not known(ranges):
        return
    # EKS opens an endpoint to everybody that names nobody.
    wide = [it for it in listed(ranges) if it in EVERYBODY] or ([] if listed(ranges) else ["none"])
    if wide:
        yield Finding(
            f"vpcConfig.publicAccessCidrs has {', '.join(wide)}",
            "ranges of your own",
            "set cluster.eks.publicAccessCidrs, or publicEndpoint: false",
        )


def _encryption(resource: Resource, _: Settings) -> Iterable[Finding]:
    key = at(resource.props, "encryptionConfig", "provider", "keyArn")
    if known(key) and not key:
        yield Finding("encryptionConfig names no key", "a KMS key", "set encryption")


def _logs(resource: Resource, settings: Settings) -> Iterable[Finding]:
    kinds = resource.props.get("enabledClusterLogTypes")
    if not known(kinds):
        return
    missing = [kind for kind in settings["logs"] if kind not in listed(kinds)]
    if missing:
        yield Finding(
            f"enabledClusterLogTypes lacks {', '.join(missing)}",
            f"at least {', '.join(settings['logs'])}",
            "add them to cluster.eks.logs",
        )


RULES = (
    Rule("kms-rotation", "mandatory", "Every KMS key rotates.", _rotation, of=(KEY,)),
    Rule(
        "eks-authentication",
        "mandatory",
        "People and nodes enter a cluster by access entries only.",
        _authentication,
        of=(CLUSTER,),
    ),
    Rule(
        "eks-private-endpoint",
        "mandatory",
        "The API server answers inside the VPC.",
        _private_endpoint,
        of=(CLUSTER,),
    ),
    Rule(
        "eks-public-endpoint",
        "mandatory",
        "The API server does not answer the whole internet.",
        _public_endpoint,
        of=(CLUSTER,),
    ),
    Rule(
        "eks-secret-encryption",
        "mandatory",
        "A cluster's Secrets are encrypted with a KMS key.",
        _encryption,
        of=(CLUSTER,),
    ),
    Rule(
        "eks-logs",
        "mandatory",
        "A cluster's control plane writes its logs.",
        _logs,
        of=(CLUSTER,),
        settings={
            "logs": Setting(STRINGS, "kinds that must be on", ["api", "audit", "authenticator"])
        },
    ),
)
