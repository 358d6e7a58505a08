"""What must leave a cluster before what cleans up after it goes: the decision, over listed objects.

A controller that is gone takes no finalizer away, and what the finalizer guards on AWS stays there
for ever. So before each controller goes, what it answers for is deleted and awaited.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import PositiveInt, model_validator

from components.base import PART_OF, ConfigModel

Manifest = Mapping[str, Any]
PULUMI_MANAGERS = ("pulumi-kubernetes", "pulumi-standin")
"""Begin the names of the field managers of Pulumi's own objects. Those of a chart are written by
`pulumi-resource-kubernetes`, and what a chart leaves behind belongs to nobody."""


class TeardownConfig(ConfigModel):
    """How a cluster that this stack made is emptied before it goes."""

    drain: bool = True
    """Whether `pulumi destroy --run-program` first removes what controllers made on AWS. False only
    for a cluster that answers no more; then `make sweep` finds what was left."""
    load_balancer_minutes: PositiveInt = 10
    """How long Services of type LoadBalancer and Gateways may take to go."""
    node_drain_minutes: PositiveInt = 5
    """How long Pods with `karpenter.sh/do-not-disrupt` or a PodDisruptionBudget may hold a node."""
    node_minutes: PositiveInt = 20
    """How long all nodes of Karpenter may take to go, draining included."""
    volume_minutes: PositiveInt = 10
    """How long volumes may take to go after their claims."""

    @model_validator(mode="after")
    def _drained_in_time(self) -> "TeardownConfig":
        if self.node_drain_minutes >= self.node_minutes:
            raise ValueError(
                f"nodeDrainMinutes is {self.node_drain_minutes} and must be less than nodeMinutes "
                f"({self.node_minutes}), as an instance ends only after its drain"
            )
        return self


@dataclass(frozen=True)
class Kind:
    """A kind as the API server lists it."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = False


Listed = Mapping[Kind, Sequence[Manifest]]
NAMESPACE = Kind("v1", "Namespace", "namespaces")


@dataclass(frozen=True)
class Step:
    """What to do with what a look at the cluster found; nothing is left when it is all empty."""

    left: tuple[tuple[Kind, Manifest], ...] = ()
    """Must be gone before the hook lets go; those of `delete` are among them."""
    delete: tuple[tuple[Kind, Manifest], ...] = ()
    patch: tuple[tuple[Kind, Manifest, Mapping[str, Any]], ...] = ()
    """Merge patches."""
    refused: tuple[str, ...] = ()
    """Why nothing may be done, one line for each object."""
    kept: tuple[str, ...] = ()
    """What stays on purpose, one line each."""

    def also_awaiting(self, more: Iterable[tuple[Kind, Manifest]]) -> "Step":
        """The same step, done only when these are gone too."""
        return replace(self, left=(*self.left, *more))


@dataclass(frozen=True)
class Surroundings:
    """What every decision needs to know beside the objects."""

    namespaces: tuple[Manifest, ...] = ()
    """All of the cluster's."""

    @property
    def in_use(self) -> list[str]:
        """The platform's and its tenants' namespaces: on the way down they go first of all."""
        label = "app.kubernetes.io/part-of"
        return sorted(
            it["metadata"]["name"]
            for it in self.namespaces
            if not going(it) and (it["metadata"].get("labels") or {}).get(label) == PART_OF
        )


def going(obj: Manifest) -> bool:
    """Whether it is deleted already and only a finalizer holds it."""
    return bool(obj["metadata"].get("deletionTimestamp"))


def of_pulumi(obj: Manifest) -> bool:
    """Whether some stack's state knows the object, by who wrote its fields."""
    managers = obj["metadata"].get("managedFields") or []
    return any(str(it.get("manager", "")).startswith(PULUMI_MANAGERS) for it in managers)


def called(kind: Kind, obj: Manifest) -> str:
    """`Service shop/web`."""
    metadata = obj["metadata"]
    place = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{kind.kind} {place}{metadata['name']}"


def owners(obj: Manifest) -> set[str]:
    """UIDs of the objects with which this one goes."""
    return {str(it["uid"]) for it in obj["metadata"].get("ownerReferences") or []}


def held(kind: Kind, obj: Manifest, *, way_out: str) -> str:
    """One line about what did not go in time."""
    finalizers = ", ".join(obj["metadata"].get("finalizers") or []) or "none"
    state = "is held by finalizers" if going(obj) else "came back after it was deleted; finalizers"
    return f"{called(kind, obj)} {state}: {finalizers}; {way_out}"


def sorted_out(
    candidates: Iterable[tuple[Kind, Manifest]], around: Surroundings
) -> tuple[list[tuple[Kind, Manifest]], list[str]]:
    """Who of the candidates may be deleted now, and why the others may not be.

    A stack's own objects are that stack's to delete, and a cluster in use loses nothing: then it is
    no teardown but an update that takes a controller away.
    """
    free, refused = [], []
    for kind, obj in candidates:
        if going(obj):
            continue
        if of_pulumi(obj):
            refused.append(
                f"{called(kind, obj)} belongs to a stack that still has it; destroy that stack "
                "first, or take the object out of it"
            )
        elif around.in_use:
            refused.append(
                f"{called(kind, obj)} would lose its controller while the platform is in use "
                f"(namespace {around.in_use[0]} is there); delete it yourself, or destroy the "
                "whole stack"
            )
        else:
            free.append((kind, obj))
    return free, refused


def step(
    candidates: Sequence[tuple[Kind, Manifest]],
    around: Surroundings,
    *,
    spared: Iterable[str] = (),
    kept: Iterable[str] = (),
) -> Step:
    """All candidates must go; `spared` are UIDs of those that go without being deleted."""
    free, refused = sorted_out(candidates, around)
    if refused:
        return Step(left=tuple(candidates), refused=tuple(refused), kept=tuple(kept))
    without = set(spared)
    return Step(
        left=tuple(candidates),
        delete=tuple(it for it in free if it[1]["metadata"]["uid"] not in without),
        kept=tuple(kept),
    )
