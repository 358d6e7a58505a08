"""Write the tables of docs/models.md: the catalogue, and computed beside published figures."""

import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

from inference.catalog import default_catalog  # noqa: E402 -- after the path
from inference.published import comparisons, median_error  # noqa: E402

PAGE = CHECKOUT / "docs" / "models.md"
QUANTITIES = {
    "weights": "weights",
    "tokenCache": "KV cache of a token",
    "cache": "KV cache of {tokens:,} tokens",
}
MARK = "<!-- from here on made by tools/generate_models_page.py -->"


def page() -> str:
    """The page's own text up to the mark, and the tables after it."""
    return PAGE.read_text().split(MARK)[0] + MARK + "\n\n" + tables()


def tables() -> str:
    rows = comparisons()
    models = len({row.figure.model for row in rows})
    lines = [
        "## Computed beside published\n",
        f"{len(rows)} figures of {models} models; median error {median_error(rows):.3%}. Weights "
        "are counted from layers and widths, not from the published number of parameters.\n",
        "| model | quantity | published bytes | computed bytes | error | source |",
        "|---|---|--:|--:|--:|---|",
    ]
    for row in rows:
        quantity = QUANTITIES[row.figure.quantity].format(tokens=row.figure.tokens or 0)
        lines.append(
            f"| {row.figure.model} | {quantity} | {row.figure.bytes:,} | {row.computed_bytes:,} "
            f"| {row.error:+.2%} | {row.figure.source} |"
        )
    lines += [
        "\n## Catalogue\n",
        "| model | parameters | active | weights | context | licence | source |",
        "|---|--:|--:|---|--:|---|---|",
    ]
    for model in sorted(default_catalog().models, key=lambda model: model.parameters):
        lines.append(
            f"| {model.name} | {model.parameters / 1e9:.2f} B | "
            f"{model.active_parameters / 1e9:.2f} B | {model.weights} | "
            f"{model.context_tokens:,} | {model.license} | {model.source} |"
        )
    return "\n".join(lines) + "\n"


def main() -> int:
    """1 with `--check` when the page is stale."""
    text = page()
    if "--check" in sys.argv[1:]:
        return int(PAGE.read_text() != text)
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
