"""What lies in the cluster before the story begins: the platform's objects and their mutants."""

from collections.abc import Iterator

from components.session_store import CLIENT_SECRET
from local.kube import Manifest
from tests.scaling import stack_objects
from tests.scaling.loads import PASSWORD
from tests.scaling.mutants import MUTANT_POOL, SCALER, WEIGHTS
from tests.scaling.stack_objects import AGENT, Platform
from tests.scaling.story import AGENTS, LOADS, MUTANT_AGENT, renamed


def objects() -> Iterator[Manifest]:
    """All of it, in an order in which it can be applied."""
    platform = stack_objects.prod()
    yield {
        "apiVersion": "karpenter.kwok.sh/v1alpha1",
        "kind": "KWOKNodeClass",
        "metadata": {"name": "default"},
        "spec": {"nodeRegistrationDelay": "1s"},
    }
    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": LOADS}}
    yield from platform.manifests("PriorityClass")
    yield from platform.node_pools()
    changed = stack_objects.changed()
    for name in (MUTANT_POOL, *WEIGHTS):
        yield changed.node_pool(name)
    yield from agents(platform)
    yield from tenants()


def agents(platform: Platform) -> Iterator[Manifest]:
    """The agents' namespace with quota and limits, the agent, its scaler; a second one, changed."""
    yield platform.manifest("Namespace", AGENTS)
    for kind in ("ResourceQuota", "LimitRange"):
        for manifest in platform.manifests(kind):
            if manifest["metadata"]["namespace"] == AGENTS:
                yield manifest
    secret = {"metadata": {"name": "session-store-auth", "namespace": AGENTS}}
    yield {"apiVersion": "v1", "kind": "Secret", "stringData": {"password": PASSWORD}} | secret
    yield platform.manifest("ServiceAccount", AGENT)
    deployment = platform.manifest("Deployment", AGENT)
    yield deployment
    yield _mutant_agent(deployment)
    yield platform.manifest("TriggerAuthentication", SCALER)
    yield platform.manifest("ScaledObject", SCALER)

    mutant = renamed(stack_objects.changed().manifest("ScaledObject", SCALER), f"{SCALER}-mutant")
    mutant["spec"]["scaleTargetRef"]["name"] = MUTANT_AGENT
    yield mutant


def store_authority(text: str) -> Manifest:
    """The Secret that cert-manager would fill for the session store's clients."""
    metadata = {"name": CLIENT_SECRET, "namespace": AGENTS}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
    return secret | {"stringData": {"ca.crt": text}}


def _mutant_agent(deployment: Manifest) -> Manifest:
    mutant = renamed(deployment, MUTANT_AGENT)
    labels = {"app": "kagent", "kagent": MUTANT_AGENT}
    mutant["spec"]["selector"]["matchLabels"] = labels
    mutant["spec"]["template"]["metadata"]["labels"] |= labels
    return mutant


def tenants() -> Iterator[Manifest]:
    """The tenant's namespace with its quota, and one whose quota is 8 GPUs."""
    for mutant in (False, True):
        tenant = stack_objects.tenant(mutant=mutant)
        for kind in ("Namespace", "ResourceQuota", "LimitRange"):
            yield from tenant.manifests(kind)


def cluster_names(platform: Platform) -> list[str]:
    """The names that the scaler's triggers connect to."""
    found = []
    for trigger in platform.manifest("ScaledObject", SCALER)["spec"]["triggers"]:
        metadata = trigger["metadata"]
        address = metadata.get("address") or metadata.get("serverAddress")
        if address:
            found.append(address.removeprefix("http://").split("/")[0].split(":")[0])
    return found
