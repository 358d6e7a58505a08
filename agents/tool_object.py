"""A Tool as an object in the cluster, beside what Kubernetes itself writes into it."""

from agents.document import ToolDocument
from agents.errors import DocumentError
from agents.location import mistakes_of
from agents.yaml_source import Parsed


def tool_of_object(data: object, *, source: str) -> ToolDocument:
    """A Tool as the API server gives it; DocumentError names its mistakes."""
    known = data if isinstance(data, dict) else {}
    given = known.get("metadata")
    about = given if isinstance(given, dict) else {}
    kept = {key: about[key] for key in ("name", "namespace", "labels") if key in about}
    spec = {key: known.get(key) for key in ("apiVersion", "kind", "spec") if key in known}
    parsed = Parsed({**spec, "metadata": kept}, source)
    if mistakes := mistakes_of(ToolDocument, parsed):
        raise DocumentError(mistakes)
    return ToolDocument.model_validate(parsed.data)
