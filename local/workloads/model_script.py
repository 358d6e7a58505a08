"""The script of a scripted model: which request gets which answer.

A script is YAML: `model` names it, `rules` are tried in order, the first that fits answers.
"""

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.alias_generators import to_camel

from local.report import UserError
from local.workloads.openai_shapes import ChatRequest, RequestRefusedError

PLACE = re.compile(r"\$\{(user|tool)((?:\.[A-Za-z0-9_-]+)*)(?:\|([^}]*))?\}")


class _Strict(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )


class When(_Strict):
    """What a request must be like; each given condition must hold."""

    user: str | None = None
    """Regular expression, searched in the user's last message without regard to case."""
    after: str = "none"
    """`none`: the user spoke last; `any`: a tool did; else the name of the tool that did."""
    result: str | None = None
    """Regular expression, searched in what the last tool answered."""
    offers: str | None = None
    """A tool that the request must offer."""
    model: str | None = None
    """Regular expression on the model asked for."""

    @field_validator("user", "model", "result")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"{value!r} is no regular expression: {error}") from error
        return value


class ScriptedCall(_Strict):
    """A tool call to answer with; strings in `arguments` are templates."""

    name: str
    arguments: dict[str, Any] = {}


class ScriptedError(_Strict):
    """An error to answer with."""

    status: Annotated[int, Field(ge=400, le=599)]
    retry_after_seconds: Annotated[float, Field(ge=0)] = 0
    message: str = "an error that the script asks for"


class Reply(_Strict):
    """What is answered. `text` is a template: `${user}`, `${user.1}` (a group of the rule's
    expression), `${tool}`, `${tool.path.0.field}`, each with an optional `|text if absent`."""

    text: str | None = None
    tool_calls: tuple[ScriptedCall, ...] = ()
    error: ScriptedError | None = None
    delay_seconds: Annotated[float, Field(ge=0, le=600)] = 0
    """Before the first byte."""
    chunk_delay_seconds: Annotated[float, Field(ge=0, le=60)] = 0
    """Before each piece of a stream."""
    cut_after_chunks: Annotated[int, Field(ge=0)] | None = None
    """Break the connection after so many pieces of a stream."""


class Rule(_Strict):
    """One line of the script."""

    name: str
    when: When = When()
    times: Annotated[int, Field(ge=1)] | None = None
    """How often the rule may answer; then it is passed over."""
    reply: Reply


class ModelScript(_Strict):
    """A whole script."""

    model: str = "scripted"
    kind: Literal["ModelScript"] = "ModelScript"
    rules: Annotated[tuple[Rule, ...], Field(min_length=1)]


def load_script(path: Path) -> ModelScript:
    """Read a script; UserError has one line for each mistake."""
    try:
        data = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: cannot be read as YAML: {reason}") from error
    try:
        return ModelScript.model_validate(data)
    except ValidationError as error:
        lines = [
            f"{path}: {'.'.join(map(str, each['loc'])) or 'document'}: {each['msg']}"
            for each in error.errors()
        ]
        raise UserError(*lines) from error


@dataclass
class Player:
    """Plays one script; counts what its rules answered."""

    script: ModelScript
    played: Counter[str] = field(default_factory=Counter)

    def choose(self, request: ChatRequest) -> tuple[Rule, Reply]:
        """The rule that answers `request`, and its reply with all templates filled."""
        for rule in self.script.rules:
            if rule.times is not None and self.played[rule.name] >= rule.times:
                continue
            if _fits(rule.when, request):
                self.played[rule.name] += 1
                return rule, _filled(rule, request)
        raise RequestRefusedError(
            400,
            f"the script {self.script.model!r} has no rule for this request "
            f"(user said {request.last_user_text()[:80]!r}); add one",
            kind="script_error",
        )


def _fits(when: When, request: ChatRequest) -> bool:
    if when.model and not re.search(when.model, request.model):
        return False
    if when.offers and when.offers not in {tool.function.name for tool in request.tools}:
        return False
    if when.user and not re.search(when.user, request.last_user_text(), re.IGNORECASE):
        return False
    results = request.results_since_user()
    if when.after == "none":
        return not results
    if not results or not re.search(when.result or "", results[-1].text):
        return False
    return when.after in ("any", request.called_tool(results[-1]))


def _filled(rule: Rule, request: ChatRequest) -> Reply:
    groups = re.search(rule.when.user or "", request.last_user_text(), re.IGNORECASE)
    results = request.results_since_user()
    tool_text = results[-1].text if results else ""

    def fill(template: str) -> str:
        def found(match: re.Match[str]) -> str:
            path = match[2].split(".")[1:]
            if match[1] == "user":
                value = _group(groups, path, request.last_user_text())
            else:
                value = _at(tool_text, path)
            if value is None and match[3] is None:
                raise RequestRefusedError(
                    400, f"rule {rule.name!r}: nothing at {match[0]}", kind="script_error"
                )
            return match[3] if value is None else value

        return PLACE.sub(found, template)

    def fill_all(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: fill_all(each) for key, each in value.items()}
        if isinstance(value, list):
            return [fill_all(each) for each in value]
        return fill(value) if isinstance(value, str) else value

    reply = rule.reply
    calls = tuple(
        ScriptedCall(name=call.name, arguments=fill_all(call.arguments))
        for call in reply.tool_calls
    )
    text = None if reply.text is None else fill(reply.text)
    return reply.model_copy(update={"text": text, "tool_calls": calls})


def _group(match: re.Match[str] | None, path: list[str], text: str) -> str | None:
    if not path:
        return text
    number = int(path[0]) if path[0].isdigit() else -1
    if match is None or not 0 <= number <= match.re.groups:
        return None
    return match[number]


def _at(text: str, path: list[str]) -> str | None:
    """The value at `path` in a tool's JSON answer; the whole text when the path is empty."""
    if not path:
        return text
    try:
        value = json.loads(text)
    except ValueError:
        return None
    for step in path:
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
