"""Debian's Prometheus for tests, fetched as `make up` does where the machine has none."""

from pathlib import Path

import pytest

from local.paths import Cache
from local.report import UserError
from local.workloads.prometheus_package import fetch


def prometheus() -> Path:
    """The program, beside its promtool; skips the test where it can't be had."""
    try:
        return fetch(Cache.default())
    except UserError as reason:
        pytest.skip(str(reason))
