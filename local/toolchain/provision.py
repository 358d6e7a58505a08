"""Having the tools: those on PATH first, then those in the cache, then made once."""

from collections.abc import Sequence
from pathlib import Path

from local.paths import Cache
from local.report import Progress, UserError
from local.toolchain.build import build, downloading
from local.toolchain.extract import extract
from local.toolchain.pins import (
    CHART_TOOLS,
    GATEWAY_TOOLS,
    LIMIT_TOOLS,
    SCALING_TOOLS,
    TOOLS,
)
from local.toolchain.recipes import GoBuild, Recipe, Tool
from local.toolchain.search import on_path
from local.toolchain.store import Store


def ensure(names: Sequence[str], cache: Cache, progress: Progress) -> dict[str, Path]:
    """Name → program for each of `names`; raises UserError when one can't be had.

    Safe to interrupt and to call from several processes: each program is made once.
    """
    store = Store(cache)
    found: dict[str, Path] = {}
    for tool in _tools(names):
        found |= _here(tool, store) or {}
    missing = {TOOLS[name].recipe: None for name in names if name not in found}
    with downloading([recipe for recipe in missing if isinstance(recipe, GoBuild)][1:], cache):
        for recipe in missing:
            made = provide(recipe, cache, progress)
            found = made | found
    return {name: found[name] for name in names}


def cached(names: Sequence[str], cache: Cache) -> dict[str, Path]:
    """Like `ensure` without making anything; raises UserError naming all that are missing."""
    store = Store(cache)
    found: dict[str, Path] = {}
    for tool in _tools(names):
        found |= _here(tool, store) or {}
    missing = [name for name in names if name not in found]
    if missing:
        tiers = {
            "--scaling": SCALING_TOOLS,
            "--gateway": GATEWAY_TOOLS,
            "--charts": CHART_TOOLS,
        }
        asked = [
            flag for flag, of_tier in tiers.items() if {*missing} & {*of_tier} - {*LIMIT_TOOLS}
        ]
        command = f".venv/bin/python -m local tools {' '.join(asked)}" if asked else "make up"
        raise UserError(f"not installed: {', '.join(missing)}: `{command}` installs them")
    return {name: found[name] for name in names}


def _tools(names: Sequence[str]) -> list[Tool]:
    unknown = [name for name in names if name not in TOOLS]
    if unknown:
        raise ValueError(f"no such tool: {unknown}; there are {list(TOOLS)}")
    return [TOOLS[name] for name in names]


def _here(tool: Tool, store: Store) -> dict[str, Path] | None:
    if program := on_path(tool):
        return {tool.name: program}
    programs = store.find(tool.recipe)
    return {tool.name: programs[tool.name]} if programs else None


def provide(recipe: Recipe, cache: Cache, progress: Progress) -> dict[str, Path]:
    """The programs of `recipe` from the cache, made first when they are not there or damaged."""
    store = Store(cache)
    with store.exclusive(recipe.name):
        # Another process may have made it while this one waited for the lock.
        if programs := store.find(recipe):
            return programs
        if store.folder(recipe).exists():
            progress.notice(f"{recipe.name} {recipe.version} in the cache is damaged: made anew")
        if isinstance(recipe, GoBuild):
            return build(recipe, store, cache, progress)
        return extract(recipe, store, cache, progress)
