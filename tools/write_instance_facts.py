"""Writes `inference/instances.json` again out of what Karpenter and moto publish about EC2 types.

    curl -LO https://raw.githubusercontent.com/aws/karpenter-provider-aws/v1.14.1/website/content/en/docs/reference/instance-types.md
    curl -LO https://raw.githubusercontent.com/aws/karpenter-provider-aws/v1.14.1/pkg/providers/pricing/zz_generated.pricing_aws.go
    python tools/write_instance_facts.py --types …types.md --prices …_aws.go

Types come from Karpenter's reference page, on-demand prices of us-east-1 from its price list (AWS's
own of that day), zones from the offerings that moto ships. All three are taken from AWS's API.
"""

import argparse
import gzip
import importlib.metadata
import importlib.util
import json
import re
from pathlib import Path
from typing import Any

OUTPUT = Path(__file__).resolve().parent.parent / "inference" / "instances.json"
LABEL = "karpenter.k8s.aws/instance-"
CPU_FAMILIES = frozenset(
    ["m5", "m6i", "m7i", "c5", "c6i", "c7i", "r5", "r6i", "r7i", "m6g", "m7g", "m8g", "c7g", "r7g"]
)
CPU_SIZES = frozenset(["large", "xlarge", "2xlarge", "4xlarge", "8xlarge"])
OLD_GPUS = frozenset({"k80", "m60", "k520"})
NAMES = {"rtx-pro-server-6000": "RTX-PRO-6000"}


def tables(page: str) -> dict[str, dict[str, str]]:
    """Type to the rows of its two tables on Karpenter's page."""
    blocks = re.split(r"^### `([^`]+)`$", page, flags=re.MULTILINE)[1:]
    rows = (dict(re.findall(r"^ \|([^|]+)\|([^|]*)\|$", it, re.MULTILINE)) for it in blocks[1::2])
    return dict(zip(blocks[::2], rows, strict=True))


def gpu_name(row: dict[str, str]) -> str:
    """The model's usual name; an A100 comes in two sizes."""
    name = row[f"{LABEL}gpu-name"]
    if name == "a100":
        return f"A100-{int(row[f'{LABEL}gpu-memory']) // 1024}GB"
    return NAMES.get(name, name.upper())


def wanted(name: str, row: dict[str, str]) -> bool:
    """NVIDIA types with whole GPUs, and the ordinary types that platforms run on."""
    if row.get(f"{LABEL}gpu-manufacturer") == "nvidia":
        return row[f"{LABEL}gpu-count"] != "0" and row[f"{LABEL}gpu-name"] not in OLD_GPUS
    family, _, size = name.partition(".")
    return family in CPU_FAMILIES and size in CPU_SIZES


def zones() -> dict[str, dict[str, str]]:
    """Type to region to the letters of the zones that offer it."""
    spec = importlib.util.find_spec("moto")
    if spec is None or spec.origin is None:
        raise SystemExit("moto is not installed: run `uv sync`")
    folder = Path(spec.origin).parent / "ec2/resources/instance_type_offerings/availability-zone"
    found: dict[str, dict[str, str]] = {}
    for file in sorted(folder.glob("*.json.gz")):
        region = file.name.removesuffix(".json.gz")
        for offer in json.loads(gzip.decompress(file.read_bytes())):
            letters = found.setdefault(offer["InstanceType"], {})
            letters[region] = "".join(sorted(letters.get(region, "") + offer["Location"][-1]))
    return found


def fact(row: dict[str, str], price: float | None, offers: dict[str, str]) -> dict[str, Any]:
    """One entry of the file."""
    entry: dict[str, Any] = {
        "vcpu": int(row[f"{LABEL}cpu"]),
        "memoryMib": int(row[f"{LABEL}memory"]),
        "architecture": row["kubernetes.io/arch"],
    }
    if f"{LABEL}gpu-count" in row:
        entry["gpu"] = gpu_name(row)
        entry["gpus"] = int(row[f"{LABEL}gpu-count"])
        entry["gpuMemoryMib"] = int(row[f"{LABEL}gpu-memory"])
    entry["efaInterfaces"] = int(row.get("vpc.amazonaws.com/efa", "0"))
    return entry | {"usdPerHour": price, "zones": offers}


def main() -> None:
    """Read the two files, write the third."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--types", type=Path, required=True)
    parser.add_argument("--prices", type=Path, required=True)
    arguments = parser.parse_args()
    listed = arguments.prices.read_text("utf-8")
    prices = {name: float(usd) for name, usd in re.findall(r'"([\w-]+\.[\w-]+)": ([\d.]+)', listed)}
    dated = re.search(r"generated at (\d{4}-\d\d-\d\d)T\S+ for (\S+)", listed)
    if dated is None:
        raise SystemExit(f"{arguments.prices}: no date in it")
    offers = zones()
    entries = {
        name: fact(row, prices.get(name), offers.get(name, {}))
        for name, row in sorted(tables(arguments.types.read_text("utf-8")).items())
        if wanted(name, row)
    }
    head = {
        "priceRegion": dated[2],
        "priceDate": dated[1],
        "priceSource": "karpenter-provider-aws v1.14.1, pkg/providers/pricing (AWS price list)",
        "typeSource": "karpenter-provider-aws v1.14.1, reference page of instance types",
        "zoneSource": f"moto {importlib.metadata.version('moto')}, EC2 instance type offerings",
    }
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    rows = [f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in entries.items()]
    types = '"types": {\n' + ",\n".join(rows) + "\n}"
    OUTPUT.write_text("{\n" + ",\n".join([*lines, types]) + "\n}\n", encoding="utf-8")
    print(f"{len(entries)} types, prices of {dated[2]} on {dated[1]}")


if __name__ == "__main__":
    main()
