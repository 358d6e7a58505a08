"""Reading the contract of another stack of this program, before anything is made."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pulumi
from pydantic import ValidationError

from infra.config import KEY, PROJECT, PlatformConfig
from infra.contract import OUTPUT, VERSION, AccountOutputs, FoundationOutputs, NetworkOutputs
from infra.offer_rules import broken_by_offer

READ = "pulumi:pulumi:readStackOutputs"


def foundation_of(stack: str, *, key: str) -> FoundationOutputs:
    """The contract that `stack` exported with its last `pulumi up`; `key` names it in the file.

    Its values are known while the program runs, in previews too, so rules are checked against them
    before any resource. `pulumi.RunError`, one line, where there is none that this program knows.
    """
    prefix = f"{key}: got '{stack}', "
    found = contract_in(_outputs(stack, prefix), stack=stack, prefix=prefix)
    # The engine keeps it in the state: what this stack stands on is seen there, and in a console.
    pulumi.StackReference(stack)
    return found


def contract_in(outputs: Mapping[str, Any], *, stack: str, prefix: str) -> FoundationOutputs:
    """The contract among a stack's outputs; `pulumi.RunError`, one line, without one."""
    short = stack.rpartition("/")[2]
    up = f"run `pulumi up --stack {short}` with this version of the program first"
    found = outputs.get(OUTPUT)
    if not isinstance(found, Mapping):
        raise pulumi.RunError(f"{prefix}which has no output '{OUTPUT}'; {up}")
    version = found.get("version")
    if version != VERSION:
        newer = isinstance(version, int | float) and version > VERSION
        way = "use the program that made it, or a newer one" if newer else up
        raise pulumi.RunError(
            f"{prefix}whose output '{OUTPUT}' has version {_shown(version)}; allowed is {VERSION}; "
            f"{way}"
        )
    try:
        return FoundationOutputs.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise pulumi.RunError(
            f"{prefix}whose output '{OUTPUT}' can't be used ({where}: {first['msg']}); {up}"
        ) from None


class Ground(NamedTuple):
    """The parts of a contract that a platform can't do without."""

    account: AccountOutputs
    network: NetworkOutputs


def require_foundation(
    config: PlatformConfig, outputs: FoundationOutputs, *, stack: str, region: str | None
) -> Ground:
    """What the platform needs of it; `pulumi.RunError`, a line each, where the two don't fit.

    `region` is `aws:region` of the platform's own file.
    """
    account, network = outputs.account, outputs.network
    if account is None or network is None:
        raise pulumi.RunError(
            f"cluster.stack.name: got '{stack}', whose cluster another program made; name a stack "
            "with cluster.eks, or use cluster.existing"
        )
    lines = broken_by_offer(config, outputs.offer)
    if region is not None and region != account.region:
        lines.append(
            f"aws:region: got '{region}'; the foundation lies in '{account.region}'; correct it or "
            "leave it out"
        )
    if lines:
        count = f"{len(lines)} mistake{'s' if len(lines) > 1 else ''}"
        raise pulumi.RunError(
            f"{count} in {PROJECT}:{KEY} of the stack file on the foundation '{stack}':\n"
            + "\n".join(lines)
        )
    return Ground(account, network)


def _outputs(stack: str, prefix: str) -> Mapping[str, Any]:
    try:
        answer = pulumi.runtime.invoke(READ, {"name": stack}).value or {}
    except Exception as error:
        if "unknown stack" not in str(error):
            raise
        short = stack.rpartition("/")[2]
        raise pulumi.RunError(
            f"{prefix}and there is no such stack; run `pulumi up --stack {short}` first, or "
            "correct the name"
        ) from None
    found: Mapping[str, Any] = answer.get("outputs") or {}
    return found


def _shown(version: Any) -> str:
    return f"{version:g}" if isinstance(version, int | float) else repr(version)
