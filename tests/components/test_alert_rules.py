"""Prometheus itself reads what is rendered, and the alerts fire when they should."""

import subprocess
from pathlib import Path

import pytest
import yaml

from components.metrics import configuration_files
from tests.harness.prometheus import prometheus

pytestmark = pytest.mark.services

LABELS = 'agent="support",tenant="a",model="m"'
DURATION = "agent_request_duration_seconds_bucket"


@pytest.fixture
def promtool() -> Path:
    return prometheus().with_name("promtool")


def run(promtool: Path, *arguments: str, folder: Path) -> str:
    done = subprocess.run(
        [str(promtool), *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).write_text(text.replace("/etc/prometheus", str(folder)), "utf-8")


def test_prometheus_accepts_configuration_and_rules(promtool: Path, tmp_path: Path) -> None:
    write(tmp_path, configuration_files({"agent-metrics": ["a.ai-agents.svc:9090"]}))
    assert "rules found" in run(promtool, "check", "config", "prometheus.yml", folder=tmp_path)


def alerts_at(
    promtool: Path, folder: Path, series: dict[str, str], alert: str, minute: str
) -> None:
    """Passes when exactly one `alert` with our labels fires at `minute`."""
    write(folder, configuration_files({}))
    test = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "15s",
        "tests": [
            {
                "interval": "15s",
                "input_series": [
                    {"series": name, "values": values} for name, values in series.items()
                ],
                "promql_expr_test": [
                    {
                        "expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})',
                        "eval_time": minute,
                        "exp_samples": [{"value": 1, "labels": "{}"}],
                    }
                ],
            }
        ],
    }
    (folder / "test.yml").write_text(yaml.safe_dump(test), "utf-8")
    run(promtool, "test", "rules", "test.yml", folder=folder)


def test_slow_agents_raise_an_alert_after_five_minutes(promtool: Path, tmp_path: Path) -> None:
    series = {
        f'{DURATION}{{{LABELS},le="10"}}': "0+9x100",
        f'{DURATION}{{{LABELS},le="20"}}': "0+10x100",
        f'{DURATION}{{{LABELS},le="+Inf"}}': "0+10x100",
    }
    alerts_at(promtool, tmp_path, series, "AgentHighLatency", "10m")
    with pytest.raises(AssertionError, match="FAILED"):
        alerts_at(promtool, tmp_path, series, "AgentHighLatency", "2m")


def test_one_failure_in_ten_raises_an_alert(promtool: Path, tmp_path: Path) -> None:
    series = {
        f"agent_request_total{{{LABELS}}}": "0+10x100",
        f"agent_request_errors_total{{{LABELS}}}": "0+1x100",
    }
    alerts_at(promtool, tmp_path, series, "AgentHighErrorRate", "10m")


def test_one_failure_in_a_hundred_raises_none(promtool: Path, tmp_path: Path) -> None:
    series = {
        f"agent_request_total{{{LABELS}}}": "0+100x100",
        f"agent_request_errors_total{{{LABELS}}}": "0+1x100",
    }
    with pytest.raises(AssertionError, match="FAILED"):
        alerts_at(promtool, tmp_path, series, "AgentHighErrorRate", "10m")
