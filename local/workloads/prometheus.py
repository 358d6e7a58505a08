"""Prometheus on one address, from PATH or the tool cache."""

import os
from pathlib import Path

from local.paths import Cache
from local.report import UserError
from local.workloads.prometheus_package import installed
from local.workloads.serving import arguments, entry


def main() -> None:
    parser = arguments("prometheus", "Run Prometheus.")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder of the time series")
    parser.add_argument("--retention", default="2d")
    parser.add_argument("--retention-size", default="512MB")
    options = parser.parse_args()
    binary = installed(Cache.default())
    if binary is None:
        raise UserError(
            "no Prometheus on PATH or in the tool cache; `make up` fetches Debian's where there is "
            "apt, else install it or set `metrics: {variant: none}` in the stack file"
        )
    if not options.config.is_file():
        raise UserError(f"{options.config} is missing; is the ConfigMap mounted?")
    options.data.mkdir(parents=True, exist_ok=True)
    command = [
        "prometheus",
        f"--config.file={options.config}",
        f"--web.listen-address={options.host}:{options.port}",
        f"--storage.tsdb.path={options.data}",
        f"--storage.tsdb.retention.time={options.retention}",
        f"--storage.tsdb.retention.size={options.retention_size}",
        "--log.format=json",
        "--log.level=warn",
    ]
    os.execv(binary, command)  # noqa: S606 - the process becomes Prometheus


if __name__ == "__main__":
    entry(main)
