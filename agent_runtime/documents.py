"""The agent's documents as mounted files."""

from pathlib import Path

from agents.document import AgentDocument, Document, ToolDocument, load_documents, resolve_tools
from agents.errors import DocumentError, Mistake
from agents.tool import Authored


def read_documents(paths: list[Path]) -> list[Document]:
    """Every document of these files; DocumentError holds the mistakes of all of them at once."""
    documents: list[Document] = []
    mistakes: list[Mistake] = []
    for path in paths:
        try:
            documents += load_documents(path.read_text(encoding="utf-8"), source=str(path))
        except DocumentError as error:
            mistakes += error.mistakes
        except OSError as error:
            mistakes.append(Mistake(str(path), None, "", f"can't be read: {error.strerror}"))
        except UnicodeDecodeError:
            mistakes.append(Mistake(str(path), None, "", "is not UTF-8 text"))
    if mistakes:
        raise DocumentError(mistakes)
    return documents


def read_agent(path: Path, tools_path: Path) -> tuple[AgentDocument, tuple[Authored, ...]]:
    """The one agent of a file with its tools resolved; Tools may stand in both files."""
    registered = [tools_path] if tools_path.is_file() else []
    documents = read_documents([path, *registered])
    agents = [each for each in documents if isinstance(each, AgentDocument)]
    if len(agents) != 1:
        problem = f"holds {len(agents)} Agent documents; exactly one is served"
        raise DocumentError([Mistake(str(path), None, "", problem)])
    tools = [each for each in documents if isinstance(each, ToolDocument)]
    return agents[0], resolve_tools(agents[0], tools)
