"""The Prometheus launcher with whatever Prometheus this machine can have."""

import os
from pathlib import Path

import httpx
import pytest

from tests.harness.prometheus import prometheus
from tests.harness.workload import eventually, workload

pytestmark = pytest.mark.services


def test_without_prometheus_the_launcher_says_what_to_do(tmp_path: Path) -> None:
    refused = pytest.raises(AssertionError, match="variant: none")
    arguments = ("prometheus", "--config", tmp_path / "none.yml", "--data", tmp_path / "data")
    with refused, workload(*arguments, PATH=os.devnull, XDG_CACHE_HOME=str(tmp_path)):
        pass


def test_it_scrapes_from_its_own_address_only(tmp_path: Path) -> None:
    prometheus()
    config = tmp_path / "prometheus.yml"
    config.write_text("global: {scrape_interval: 1s}\nscrape_configs: []\n")
    with workload("prometheus", "--config", config, "--data", tmp_path / "data") as running:
        ready = eventually(
            lambda: httpx.get(f"{running.url}/-/ready").status_code == 200 or None, "readiness"
        )
        assert ready
        listening = Path(f"/proc/{running.process.pid}/net/tcp").read_text()
    port = f":{running.port:04X} 00000000:0000 0A"
    assert f"0100007F{port}" in listening
    assert f"00000000{port}" not in listening
