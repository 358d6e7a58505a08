"""Two sides of each chart, rendered and compared object by object."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from difflib import unified_diff
from typing import Any

from tools.render_charts.helm import HelmError
from tools.render_charts.manifests import Masks, Path, as_text, differing, objects, without
from tools.render_charts.release import Release

AT_ONCE = 4
MOST_LINES = 400
Render = Callable[[Release], str]


@dataclass
class ChartDiff:
    """One release on both sides; `error` says why it was not rendered."""

    name: str
    before: Release | None
    after: Release | None
    added: dict[str, list[str]] = field(default_factory=dict)
    changed: dict[str, list[str]] = field(default_factory=dict)
    removed: dict[str, list[str]] = field(default_factory=dict)
    random: list[str] = field(default_factory=list)
    """`object: path` of what differs between two renders of the same."""
    error: str = ""

    @property
    def same(self) -> bool:
        """Nothing that is given to Helm differs, so it was not asked."""
        return self.before == self.after

    @property
    def chart(self) -> str:
        release = self.after or self.before
        return release.chart if release else ""

    def versions(self) -> str:
        """Such as `1.0.0 → 1.1.0`."""
        before = self.before.version if self.before else "none"
        after = self.after.version if self.after else "none"
        return before if before == after else f"{before} → {after}"


def compare(
    before: Mapping[str, Release], after: Mapping[str, Release], render: Render
) -> list[ChartDiff]:
    """By name; an unchanged release is not rendered at all."""
    names = sorted({*before, *after})
    masks = Masks()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [
            *pool.map(lambda it: _compare(it, before.get(it), after.get(it), render, masks), names)
        ]


def _compare(
    name: str, before: Release | None, after: Release | None, render: Render, masks: Masks
) -> ChartDiff:
    found = ChartDiff(name, before, after)
    if found.same:
        return found
    try:
        old, new = (_side(it, render) if it else _Side() for it in (before, after))
    except HelmError as error:
        found.error = str(error)
        return found
    random = {key: old.random.get(key, set()) | new.random.get(key, set()) for key in new.random}
    random = old.random | random
    found.random = [
        f"{key}: {'.'.join(path)}"
        for key, paths in sorted(random.items())
        for path in sorted(paths)
    ]
    for key in sorted({*old.objects, *new.objects}):
        lines = [
            as_text(masks.masked(without(side.objects[key], random.get(key, set()))))
            if key in side.objects
            else []
            for side in (old, new)
        ]
        _take(found, key, *lines)
    return found


def _take(found: ChartDiff, key: str, old: list[str], new: list[str]) -> None:
    if old == new:
        return
    diff = [*unified_diff(old, new, f"before: {key}", f"after: {key}", lineterm="", n=3)]
    if len(diff) > MOST_LINES:
        diff = [*diff[:MOST_LINES], f"… {len(diff) - MOST_LINES} more lines"]
    kind = found.changed if old and new else found.added if new else found.removed
    kind[key] = diff


@dataclass
class _Side:
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    random: dict[str, set[Path]] = field(default_factory=dict)


def _side(release: Release, render: Render) -> _Side:
    """Rendered twice, since content that is random shows in nothing else."""
    first, second = objects(render(release)), objects(render(release))
    random = {key: {*differing(first[key], second[key])} for key in first if key in second}
    renamed = _renamed(first, second)
    return _Side(first, {key: paths for key, paths in random.items() if paths} | renamed)


def _renamed(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, set[Path]]:
    """Objects whose very name is random."""
    return {key: {("metadata", "name")} for key in first if key not in second}


def not_rendered(diffs: list[ChartDiff]) -> Iterator[str]:
    """A line for each chart that could not be rendered."""
    for it in diffs:
        if it.error:
            yield f"{it.name} ({it.chart} {it.versions()}): not rendered: {it.error}"
