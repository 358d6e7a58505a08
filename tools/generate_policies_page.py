"""Write the tables of docs/policies.md out of the rules themselves."""

import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

from components.admission_policies import (  # noqa: E402 -- after the path
    DEFAULT_POLICIES,
    NAME_PREFIX,
    AdmissionPoliciesConfig,
    rules,
)
from infra.policies.rules.every import AREAS  # noqa: E402 -- the same
from infra.policies.rules.rule import Rule  # noqa: E402 -- the same

PAGE = CHECKOUT / "docs" / "policies.md"
MARK = "<!-- from here on made by tools/generate_policies_page.py -->"


def page() -> str:
    """The page's own text up to the mark, and the tables after it."""
    return PAGE.read_text(encoding="utf-8").split(MARK)[0] + MARK + "\n\n" + tables()


def tables() -> str:
    lines = [
        "## Rules of the pack\n",
        "| area | rule | level | what must hold | configuration |",
        "|---|---|---|---|---|",
    ]
    for area, found in AREAS.items():
        for rule in found:
            cells = [area, f"`{rule.id}`", rule.level, rule.says, _settings(rule)]
            lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "\n## Admission policies\n",
        "| policy | looks at | holds in | what must hold |",
        "|---|---|---|---|",
    ]
    for name, it in rules(AdmissionPoliciesConfig(), ["registry.example"]).items():
        exempt = ", ".join(DEFAULT_POLICIES[name].exempt_namespaces)
        where = "tenants" if it.tenants else "platform, tenants"
        where += f"; not {exempt}" if exempt else ""
        what = f"{', '.join(it.resources)} ({', '.join(it.operations).lower()})"
        lines.append(f"| `{NAME_PREFIX}{name}` | {what} | {where} | {it.says} |")
    return "\n".join(lines) + "\n"


def _settings(rule: Rule) -> str:
    said = []
    for key, it in rule.settings.items():
        default = ", ".join(it.default) if isinstance(it.default, list) else str(it.default)
        value = "" if it.from_stack else f" ({default or 'none'})"
        said.append(f"`{key}`: {it.says}{value}")
    return "; ".join(said)


def main() -> int:
    """1 with `--check` when the page is stale."""
    text = page()
    if "--check" in sys.argv[1:]:
        return int(PAGE.read_text(encoding="utf-8") != text)
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
