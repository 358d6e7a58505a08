"""The scripted model over HTTP for tests: `with scripted_model(rules) as model: model.url`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.workloads.model_script import ModelScript, load_script
from local.workloads.scripted_model import ScriptedModel
from tests.harness.http_server import serving

Rules = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class RunningModel:
    """A scripted model that listens; `url` has no path, the API is under `/v1`."""

    url: str
    model: ScriptedModel

    @property
    def base_url(self) -> str:
        """What an OpenAI client takes as its base URL."""
        return f"{self.url}/v1"

    @property
    def requests(self) -> list[dict[str, Any]]:
        """All chat requests in order: `{"headers": {...}, "body": {...}}`."""
        return list(self.model.requests)

    def played(self, rule: str) -> int:
        """How often a rule answered."""
        return self.model.player.played[rule]


@contextmanager
def scripted_model(script: Rules | Path, *, name: str = "scripted") -> Iterator[RunningModel]:
    """Serve a script (a list of rules as in YAML, or a file) on a free port."""
    if isinstance(script, Path):
        loaded = load_script(script)
    else:
        loaded = ModelScript.model_validate({"model": name, "rules": list(script)})
    model = ScriptedModel(loaded)
    with serving(model.app()) as url:
        yield RunningModel(url, model)
