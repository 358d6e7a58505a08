"""Who asks, who administers, and which secrets and keys the stack expects to find."""

from collections.abc import Iterator
from datetime import UTC, datetime

from components.eks_support import SUPPORT_WINDOWS
from components.pull_through_cache import CREDENTIALS_PREFIX
from components.secret_store import ExternalSecretsConfig
from infra.aws_session import AWS_ERRORS, AwsSession, code_of, explain, is_denied
from infra.preflight.finding import Finding
from infra.secret_entries import secret_entries
from infra.stack_file import Stack

SESSION = "agentic-platform-preflight"
SHORTEST_SECONDS = 900


def admin_role(stack: Stack, aws: AwsSession) -> Iterator[Finding]:
    """Whether the role exists and lets the caller in; its credentials are dropped at once."""
    if stack.eks is None:
        return
    name = stack.eks.admin_role
    short = name.rpartition("/")[2]
    caller = aws.caller()["Arn"]
    if f":assumed-role/{short}/" in caller:
        yield Finding("admin role", name, "ok", "the caller is it")
        return
    iam = aws.client("iam")
    try:
        arn = iam.get_role(RoleName=short)["Role"]["Arn"]
    except iam.exceptions.NoSuchEntityException:
        yield Finding(
            "admin role",
            name,
            "failed",
            "does not exist",
            "an IAM role of this account",
            "make it (docs/foundation.md, Before the first pulumi up) or correct "
            "cluster.eks.adminRole",
        )
        return
    if not arn.endswith(f":role/{name}"):
        yield Finding("admin role", name, "failed", arn, f"…:role/{name}", "name it with its path")
        return
    try:
        aws.client("sts").assume_role(
            RoleArn=arn, RoleSessionName=SESSION, DurationSeconds=SHORTEST_SECONDS
        )
    except AWS_ERRORS as error:
        if not is_denied(error):
            raise
        yield Finding(
            "admin role",
            name,
            "failed",
            f"{caller} may not assume it",
            "its trust policy and the caller's own policies",
            f"trust the caller, or ask as one who is trusted ({explain(error)})",
        )
    else:
        yield Finding("admin role", name, "ok", f"may be assumed by {caller}")


def secret_names(stack: Stack, aws: AwsSession) -> Iterator[Finding]:
    """Names only: no value is read."""
    wanted: dict[str, list[str]] = {}
    platform = stack.platform
    settings = platform.secrets if platform else None
    region = aws.region
    if platform and isinstance(settings, ExternalSecretsConfig):
        region = settings.region
        for entry in secret_entries(platform, known=False):
            for source in entry.keys.values():
                wanted.setdefault(settings.prefix + source, []).append(entry.name)
    if region == aws.region:
        yield from _named("secrets", wanted, aws)
    elif wanted:
        yield from _named("secrets", wanted, AwsSession(region=region))
    registry = stack.config.image_registry
    caches = registry.pull_through.upstreams if registry and registry.pull_through else {}
    credentials = {
        upstream.credentials: [f"cache of {host}"]
        for host, upstream in caches.items()
        if upstream.credentials
    }
    yield from _named("pull-through credentials", credentials, aws)


def _named(check: str, wanted: dict[str, list[str]], aws: AwsSession) -> Iterator[Finding]:
    if not wanted:
        return
    first = {name.partition("/")[0] for name in wanted}
    pages = aws.client("secretsmanager").get_paginator("list_secrets")
    asked = pages.paginate(Filters=[{"Key": "name", "Values": sorted(first)}])
    there = {it["Name"] for page in asked for it in page["SecretList"]}
    missing = [name for name in wanted if name not in there]
    for name in missing:
        of = ", ".join(dict.fromkeys(wanted[name]))
        kind = "with username and accessToken" if name.startswith(CREDENTIALS_PREFIX) else ""
        yield Finding(
            check,
            name,
            "failed",
            "not in Secrets Manager",
            f"needed by {of}",
            f"aws secretsmanager create-secret --name {name} --region {aws.region} {kind}".strip(),
        )
    if not missing:
        yield Finding(check, f"{len(wanted)} names", "ok", "all there", f"in {aws.region}")


def encryption_keys(stack: Stack, aws: AwsSession) -> Iterator[Finding]:
    """A line for each key that the stack brings."""
    encryption = stack.config.encryption
    client = aws.client("kms")
    for purpose, arn in (encryption.existing_keys if encryption else {}).items():
        subject = f"encryption.existingKeys.{purpose}"
        try:
            key = client.describe_key(KeyId=arn)["KeyMetadata"]
        except client.exceptions.NotFoundException:
            yield Finding(
                "keys", subject, "failed", f"no {arn}", "a KMS key of this region", "correct it"
            )
            continue
        state, spec = key["KeyState"], key.get("KeySpec", "SYMMETRIC_DEFAULT")
        good = state == "Enabled" and spec == "SYMMETRIC_DEFAULT"
        yield Finding(
            "keys",
            subject,
            "ok" if good else "failed",
            f"{state}, {spec}",
            "Enabled, SYMMETRIC_DEFAULT",
            "" if good else "enable it or name another key",
        )


def kubernetes_version(stack: Stack, aws: AwsSession) -> Iterator[Finding]:
    """Whether EKS still makes clusters of that version, and whether our dates are AWS's."""
    if stack.eks is None:
        return
    version = stack.eks.version
    client = aws.client("eks")
    try:
        answer = client.describe_cluster_versions(clusterVersions=[version])
    except AWS_ERRORS as error:
        if code_of(error) not in ("InvalidParameterException", "ResourceNotFoundException"):
            raise
        answer = {"clusterVersions": []}
    found = answer["clusterVersions"]
    if not found:
        yield Finding(
            "Kubernetes version",
            version,
            "failed",
            "EKS does not know it",
            ", ".join(SUPPORT_WINDOWS),
            "choose another cluster.eks.version",
        )
        return
    status = found[0].get("versionStatus") or found[0].get("status", "")
    ends = found[0]["endOfStandardSupportDate"].astimezone(UTC).date()
    ours = SUPPORT_WINDOWS[version].standard_ends
    left = (ends - datetime.now(UTC).date()).days
    unsupported = "UNSUPPORTED" in status.upper()
    standard = stack.eks.support == "STANDARD" and left <= 0
    bad = unsupported or standard
    yield Finding(
        "Kubernetes version",
        version,
        "failed" if bad else "ok" if ends == ours else "warning",
        f"{status}, standard support ends on {ends}",
        f"support: {stack.eks.support}; {ours} in components/eks_support.py",
        "choose a later version or support: EXTENDED"
        if bad
        else ""
        if ends == ours
        else "correct components/eks_support.py",
    )
