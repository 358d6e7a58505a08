"""The agent documents that a stack names: YAML files of Agents and Tools in the checkout."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

import pulumi

from agents.document import AgentDocument, ToolDocument, load_documents
from agents.errors import DocumentError
from components.sample_services import SampleServicesConfig, read_knowledge


class Documents(NamedTuple):
    """Every document of the stack; an agent stands under its own name."""

    agents: Mapping[str, AgentDocument]
    tools: list[ToolDocument]


def read_documents(paths: tuple[str, ...], *, root: Path) -> Documents:
    """Read them all; `pulumi.RunError` has one line for every mistake in every file."""
    agents: dict[str, AgentDocument] = {}
    tools: list[ToolDocument] = []
    problems: list[str] = []
    for path in paths:
        try:
            text = (root / path).read_text("utf-8")
            documents = load_documents(text, source=path)
        except OSError as error:
            problems.append(f"agents: can't read '{path}' ({error.strerror}); correct the path")
            continue
        except DocumentError as error:
            problems += str(error).splitlines()
            continue
        for document in documents:
            if isinstance(document, ToolDocument):
                tools.append(document)
            elif document.metadata.name in agents:
                problems.append(f"{path}: agent '{document.metadata.name}' exists twice; rename it")
            else:
                agents[document.metadata.name] = document
    if problems:
        raise pulumi.RunError("\n".join(problems))
    return Documents(agents, tools)


def require_models(documents: Documents, served: Collection[str], *, embedding: str) -> None:
    """`pulumi.RunError`, a line each, for models that agents ask the gateway for in vain."""
    allowed = f"allowed: {', '.join(served) or 'none'}; add it to gateway.models"
    problems = [
        f"agent '{name}': got model '{agent.spec.model.name}'; {allowed} or name another"
        for name, agent in documents.agents.items()
        if agent.spec.model.name not in served
    ]
    if documents.agents and embedding not in served:
        problems.append(f"agentService.embeddingModel: got '{embedding}'; {allowed}")
    if problems:
        raise pulumi.RunError("\n".join(problems))


def sample_documents(config: SampleServicesConfig | None, *, root: Path) -> dict[str, str]:
    """The sample knowledge by file name; `pulumi.RunError`, a line each, for unusable files."""
    if config is None:
        return {}
    try:
        return read_knowledge(root / config.knowledge)
    except ValueError as error:
        raise pulumi.RunError(str(error)) from None


def require_agents(documents: Documents, wanted: Mapping[str, str]) -> None:
    """`pulumi.RunError`, a line each, for scalers (by name) of agents that nobody wrote."""
    known = ", ".join(documents.agents) or "none"
    problems = [
        f"scalers.{name}.agent: got '{agent}'; allowed: {known}; correct it or remove the scaler"
        for name, agent in wanted.items()
        if agent not in documents.agents
    ]
    if problems:
        raise pulumi.RunError("\n".join(problems))
