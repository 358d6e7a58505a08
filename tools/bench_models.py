"""Figures of the model catalogue: time to size all of it, error beside published figures."""

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from inference.catalog import default_catalog
from inference.offers import offers
from inference.published import comparisons, median_error
from inference.sizing import Demand, size

ROUNDS = 20


def whole_catalogue_seconds() -> float:
    """Best of several rounds: what the arithmetic takes, without the first reading of the data."""
    models = [model for model in default_catalog().models if model.kind == "chat"]
    known = offers()
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for model in models:
            size(model, Demand(min(8192, model.context_tokens), 16), known)
        times.append(time.perf_counter() - began)
    return min(times)


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = {
        "sizing of the whole catalogue, ms (<= 50)": whole_catalogue_seconds() * 1000,
        "median error beside published figures, % (<= 10)": median_error(comparisons()) * 100,
    }
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:52} {value:8.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
