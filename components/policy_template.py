"""IAM policies that lie beside their module as JSON with `${…}` for what only a stack knows."""

import json
from pathlib import Path
from string import Template
from typing import Any


def policy_from(file: Path, **values: str) -> dict[str, Any]:
    """The document with every placeholder put in; KeyError names one without a value."""
    document: dict[str, Any] = json.loads(Template(file.read_text("utf-8")).substitute(values))
    return document
