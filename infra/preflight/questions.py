"""All questions at once; one that may not be asked takes none of the others with it."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from infra.aws_session import AWS_ERRORS, AwsSession, AwsSessionError, explain
from infra.preflight.account import (
    admin_role,
    encryption_keys,
    kubernetes_version,
    secret_names,
)
from infra.preflight.addresses import existing_network, network_quotas
from infra.preflight.finding import Finding
from infra.preflight.offers import instance_types, node_images, reservations
from infra.preflight.quotas import vcpu_quotas
from infra.stack_file import Stack

Question = Callable[[Stack, AwsSession], Iterable[Finding]]

QUESTIONS: dict[str, Question] = {
    "admin role": admin_role,
    "Kubernetes version": kubernetes_version,
    "vCPU quota": vcpu_quotas,
    "instance types": instance_types,
    "reservations": reservations,
    "node images": node_images,
    "network quota": network_quotas,
    "existing network": existing_network,
    "keys": encryption_keys,
    "secrets": secret_names,
}


def ask(stack: Stack, aws: AwsSession) -> list[Finding]:
    """Every finding in the order of `QUESTIONS`; AwsSessionError when nobody may ask at all."""
    caller = aws.caller()
    first = Finding("caller", caller["Arn"], "ok", f"account {caller['Account']}", aws.region)
    with ThreadPoolExecutor(max_workers=len(QUESTIONS)) as pool:
        answers = pool.map(lambda check: _answer(check, stack, aws), QUESTIONS)
        return [first, *(finding for found in answers for finding in found)]


def _answer(check: str, stack: Stack, aws: AwsSession) -> list[Finding]:
    found: list[Finding] = []
    try:
        # an answer that breaks off keeps what came before it
        for finding in QUESTIONS[check](stack, aws):
            found.append(finding)  # noqa: PERF402 - the same
    except (*AWS_ERRORS, AwsSessionError) as error:
        found.append(Finding(check, stack.name, "unknown", "not answered", "", explain(error)))
    return found
