"""Write the OpenAPI document of an agent from the runtime's routes.

python tools/generate_openapi.py [--check]
"""

import json
import sys
from pathlib import Path

from agent_runtime.app import build_app
from agent_runtime.assembly import assemble
from agent_runtime.settings import Settings
from agents.document import AgentDocument, load_documents

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "schema" / "agent-runtime.openapi.json"
AGENT = """
apiVersion: kagent.dev/v1alpha1
kind: Agent
metadata: {name: agent}
spec: {model: {name: model}, description: The HTTP interface that every agent has.}
"""


def generated() -> str:
    """The document; the agent's own name and description are placeholders."""
    agents = [each for each in load_documents(AGENT) if isinstance(each, AgentDocument)]
    document = build_app(assemble(Settings(auth="none"), agents[0], ())).openapi()
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    text = generated()
    fresh = TARGET.is_file() and TARGET.read_text(encoding="utf-8") == text
    if fresh:
        return 0
    if "--check" in sys.argv[1:]:
        print(f"stale: {TARGET.relative_to(ROOT)}")
        return 1
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
