"""Write the JSON schemas of the documents, their reference page and the Tool CRD from the models.

python tools/generate_agent_schemas.py [--check]
"""

import json
import sys
from pathlib import Path

import yaml

from agents.crd import tool_crd
from agents.document import AgentDocument, ToolDocument
from tools.generate_config_reference import mentioned_models, section

ROOT = Path(__file__).resolve().parent.parent
PAGE_HEAD = """# Agent and Tool documents

Generated from the models by `python tools/generate_agent_schemas.py`; do not edit.

What an author writes to ship an agent. Unknown keys are refused. `python -m agent_runtime check
FILE…` tells every mistake as `file:line:column`; editors that read `# yaml-language-server:
$schema=agents/schema/agent.schema.json` (or `tool.schema.json`) complete and check while you type.
How tools behave: [tools](tools.md).
"""
CRD_HEADER = "# Made by tools/generate_agent_schemas.py from agents/tool.py: change that.\n"


def generated() -> dict[Path, str]:
    """The text of each generated file."""
    schemas = ROOT / "agents" / "schema"
    crd = yaml.safe_dump(tool_crd(), sort_keys=False, width=100, allow_unicode=True)
    return {
        ROOT / "docs" / "documents.md": _page(),
        schemas / "agent.schema.json": _schema(AgentDocument, "Agent"),
        schemas / "tool.schema.json": _schema(ToolDocument, "Tool"),
        ROOT / "components" / "crds" / "tools.kagent.dev.yaml": CRD_HEADER + crd,
    }


def _page() -> str:
    """Every key of both documents with its default."""
    return PAGE_HEAD + "".join(
        section(each) for each in mentioned_models((AgentDocument, ToolDocument))
    )


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
