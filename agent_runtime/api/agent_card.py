"""The A2A agent card, as plain data so that readiness needs no A2A library."""

from typing import Any, Literal

from agents.document import AgentDocument
from agents.tool import Tool

CARD_PATH = "/.well-known/agent-card.json"
HITL = "https://kagent.dev/extensions/hitl/v1"
_TEXT = ["text/plain"]


def agent_card(
    document: AgentDocument,
    tools: tuple[Tool, ...],
    *,
    url: str,
    version: str,
    auth: Literal["gateway", "jwt", "none"] = "none",
) -> dict[str, Any]:
    """The 1.0 card; both wire versions are spoken at the same address."""
    name = document.metadata.name
    description = document.spec.description or f"The agent {name}."
    skills = [
        {
            "id": tool.name,
            "name": tool.name,
            "description": tool.description or f"Uses the tool {tool.name}.",
            "tags": [tool.type],
        }
        for tool in tools
    ] or [{"id": "chat", "name": "chat", "description": description, "tags": ["chat"]}]
    interfaces = [
        {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": wire}
        for wire in ("1.0", "0.3")
    ]
    people = {"uri": HITL, "description": "Approvals and questions to people", "required": False}
    card: dict[str, Any] = {
        "name": name,
        "description": description,
        "version": version,
        "supportedInterfaces": interfaces,
        "capabilities": {
            "streaming": True,
            "pushNotifications": False,
            "extendedAgentCard": False,
            "extensions": [people],
        },
        "defaultInputModes": _TEXT,
        "defaultOutputModes": _TEXT,
        "skills": skills,
    }
    if auth != "none":
        bearer = {"httpAuthSecurityScheme": {"scheme": "Bearer"}}
        card["securitySchemes"] = {"bearer": bearer}
        card["securityRequirements"] = [{"schemes": {"bearer": {"list": []}}}]
    return card
