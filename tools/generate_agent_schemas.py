"""Write the JSON schemas of the documents and the Tool CRD from the models.

python tools/generate_agent_schemas.py [--check]
"""

import json
import sys
from pathlib import Path

import yaml

from agents.crd import tool_crd
from agents.document import AgentDocument, ToolDocument

ROOT = Path(__file__).resolve().parent.parent
CRD_HEADER = "# Made by tools/generate_agent_schemas.py from agents/tool.py: change that.\n"


def generated() -> dict[Path, str]:
    """The text of each generated file."""
    schemas = ROOT / "agents" / "schema"
    crd = yaml.safe_dump(tool_crd(), sort_keys=False, width=100, allow_unicode=True)
    return {
        schemas / "agent.schema.json": _schema(AgentDocument, "Agent"),
        schemas / "tool.schema.json": _schema(ToolDocument, "Tool"),
        ROOT / "components" / "crds" / "tools.kagent.dev.yaml": CRD_HEADER + crd,
    }


def _schema(model: type[AgentDocument] | type[ToolDocument], title: str) -> str:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **model.model_json_schema(),
        "title": title,
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    check = "--check" in sys.argv[1:]
    stale = [
        path
        for path, text in generated().items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    for path in stale:
        if check:
            print(f"stale: {path.relative_to(ROOT)}")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(generated()[path], encoding="utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
