"""S3: every bucket has the resources beside it that make it safe."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .rule import Finding, Resource, Rule, Settings, at, known, listed

BUCKET = "aws:s3/bucket:Bucket"
BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")


class Aspect:
    """One kind of resource beside a bucket, and what it must say."""

    def __init__(self, kind: str, says: str, broken: Callable[[Mapping[str, Any]], str]) -> None:
        self.type = f"aws:s3/{kind[0].lower()}{kind[1:]}:{kind}"
        self.kind = kind
        self.says = says
        self.broken = broken

    def findings(self, resources: Sequence[Resource], _: Settings) -> Iterable[Finding]:
        beside = [it for it in resources if it.type == self.type]
        for bucket in (it for it in resources if it.type == BUCKET):
            own = [it for it in beside if _is_of(it, bucket)]
            found = self.broken(own[0].props) if own else f"has no {self.kind}"
            if found:
                yield Finding(found, self.says, f"add or mend its {self.kind}", bucket)


def _is_of(companion: Resource, bucket: Resource) -> bool:
    named = companion.props.get("bucket")
    return bucket.urn in companion.refers.get("bucket", ()) or (
        known(named) and named is not None and named == bucket.props.get("bucket")
    )


def _versioning(props: Mapping[str, Any]) -> str:
    status = at(props, "versioningConfiguration", "status")
    return "" if status == "Enabled" or not known(status) else f"versioning is {status!r}"


def _encryption(props: Mapping[str, Any]) -> str:
    rule = at({"rules": props.get("rules")}, "rules", "applyServerSideEncryptionByDefault")
    algorithm = at(rule, "sseAlgorithm")
    good = algorithm in ("aws:kms", "aws:kms:dsse") or not known(algorithm)
    return "" if good else f"sseAlgorithm is {algorithm!r}"


def _closed(props: Mapping[str, Any]) -> str:
    wide = [key for key in BLOCKS if known(props.get(key)) and props.get(key) is not True]
    return f"{', '.join(wide)}: not true" if wide else ""


def _tls(props: Mapping[str, Any]) -> str:
    text = props.get("policy")
    if not isinstance(text, str | Mapping):
        return "" if not known(text) else "its policy is empty"
    document = json.loads(text) if isinstance(text, str) else text
    for statement in listed(document.get("Statement")):
        condition = at(statement, "Condition", "Bool", "aws:SecureTransport")
        denies = statement.get("Effect") == "Deny" and "s3:*" in listed(statement.get("Action"))
        if denies and str(condition).lower() == "false":
            return ""
    return "its policy lets requests without TLS in"


ASPECTS = {
    "s3-encryption": (
        "Every bucket is encrypted with a KMS key.",
        Aspect("BucketServerSideEncryptionConfiguration", "sseAlgorithm 'aws:kms'", _encryption),
    ),
    "s3-versioning": (
        "Every bucket keeps old versions.",
        Aspect("BucketVersioning", "versioning 'Enabled'", _versioning),
    ),
    "s3-public-access": (
        "Every bucket is closed to the public.",
        Aspect("BucketPublicAccessBlock", f"{', '.join(BLOCKS)}: true", _closed),
    ),
    "s3-tls": (
        "Every bucket refuses requests without TLS.",
        Aspect("BucketPolicy", "Deny s3:* where aws:SecureTransport is false", _tls),
    ),
}
RULES = tuple(
    Rule(name, "mandatory", says, check_stack=aspect.findings)
    for name, (says, aspect) in ASPECTS.items()
)
