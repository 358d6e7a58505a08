"""Custom resource definitions: which upstream files the platform uses, and loading them."""

from local.crds.loader import LoadedCrd, load
from local.crds.lock import locked, select
from local.crds.sources import Sources

__all__ = ["LoadedCrd", "Sources", "load", "locked", "select"]
