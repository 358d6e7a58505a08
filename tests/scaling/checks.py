"""What must hold of a history. Each raises AssertionError, and for each a mutant shows that."""

import itertools
import math
from collections.abc import Collection

from tests.scaling.catalogue import price
from tests.scaling.history import History, Moment

VALIDATION_SECONDS = 15.0
"""Karpenter decides, waits this long, and decides again before it takes a node (fixed in its
code)."""
STAMP_SECONDS = 2.0
"""Times in objects are whole seconds, and Pods take their time to go."""


def limit_is_held(history: History, pool: str, gpus: int) -> None:
    """The pool never holds more GPUs, also counting what is bought but no node yet."""
    most = max(sum(claim.gpus for claim in moment.of(pool)) for moment in history.moments)
    assert most <= gpus, f"{pool}: {most} GPUs at once, {gpus} allowed"


def cheapest_is_chosen(
    history: History, pool: str, types: Collection[str], capacity_types: Collection[str]
) -> None:
    """All nodes are of the cheapest of the allowed offers."""
    _, best, way = min((price(name, way), name, way) for name in types for way in capacity_types)
    chosen = {
        (claim.instance_type, claim.capacity_type)
        for moment in history.moments
        for claim in moment.of(pool)
        if claim.instance_type
    }
    assert chosen == {(best, way)}, f"{pool}: {chosen} chosen, {best} {way} is the cheapest"


def overflows(moment: Moment, first: str, then: str, *, first_holds: int) -> None:
    """Spot nodes of `first` up to its limit, the rest on demand from `then`."""
    for pool, way in ((first, "spot"), (then, "on-demand")):
        ways = {claim.capacity_type for claim in moment.of(pool)}
        assert ways == {way}, f"{pool}: {ways or 'no node'}, expected {way}"
    held = len(moment.of(first))
    assert held == first_holds, f"{first}: {held} nodes, its limit lets {first_holds}"


def budget_is_held(
    history: History, pool: str, percent: int, *, since: float, until: float
) -> None:
    """Never more nodes on their way out than the share allows, rounded up; in what was sampled and
    in what Karpenter says it did. At least one node must have gone."""
    moments = [moment for moment in history.since(since) if moment.at <= until]
    for moment in moments:
        claims = moment.of(pool)
        leaving = sum(claim.leaving for claim in claims)
        allowed = _share(len(claims), percent)
        assert leaving <= allowed, f"{pool}: {leaving} of {len(claims)} leave, {allowed} allowed"
    taken = 0
    for at, names in history.disrupted(pool):
        before = [moment for moment in moments if moment.at <= at]
        if not before or at > until:
            continue
        size = len(before[-1].of(pool))
        allowed = _share(size, percent)
        assert len(names) <= allowed, f"{pool}: {len(names)} of {size} at once, {allowed} allowed"
        taken += len(names)
    assert taken, f"{pool}: no node was taken away"


def quiet_time_is_kept(history: History, pool: str, seconds: float, *, since: float) -> None:
    """No node leaves before consolidateAfter and Karpenter's own second look have passed."""
    first = next(
        (
            moment.at - since
            for moment in history.since(since)
            if any(claim.leaving for claim in moment.of(pool))
        ),
        None,
    )
    assert first is not None, f"{pool}: no node ever left"
    least = seconds + VALIDATION_SECONDS - STAMP_SECONDS
    assert first >= least, f"{pool}: a node left {first:.1f} s after the load, {least:g} s at least"


def is_kept(history: History, claim: str, *, since: float) -> None:
    """The node is there in every moment, and never on its way out."""
    for moment in history.since(since):
        found = [each for each in moment.claims if each.name == claim]
        assert found, f"{claim} is gone"
        assert not found[0].leaving, f"{claim} is being taken away"


def nodes_are_gone(history: History, pool: str, *, before: Moment) -> None:
    """A pool that had nodes has none any more, not even one on its way out."""
    assert before.of(pool), f"{pool}: there never was a node"
    left = [claim.name for claim in history.now.of(pool)]
    assert not left, f"{pool}: {len(left)} nodes are still there"


def scales_between(
    history: History, deployment: str, least: int, most: int, *, since: float
) -> None:
    """Replicas rise from `least` to `most` and fall to `least` again, and are never outside."""
    wanted = [moment.replicas[deployment] for moment in history.since(since)]
    seen = [count for count, _ in itertools.groupby(wanted)]
    inside = [count for count in seen if least <= count <= most]
    assert inside == seen, f"{deployment}: replicas {seen}, outside {least} to {most}"
    assert seen[0] == least, f"{deployment}: began with {seen[0]}"
    assert max(seen) == most, f"{deployment}: at most {max(seen)} replicas, {most} expected"
    assert seen[-1] == least, f"{deployment}: ended with {seen[-1]}"


def _share(nodes: int, percent: int) -> int:
    return math.ceil(nodes * percent / 100)
