"""The engine's JSON events, read as they come: progress, errors, counts."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

OPERATIONS = {
    "create": "created",
    "update": "updated",
    "replace": "replaced",
    "delete": "deleted",
    "discard": "forgotten",
    "read": "read",
    "refresh": "refreshed",
    "import": "imported",
    "same": "unchanged",
}
PLANNED = {
    "create": "to create",
    "update": "to update",
    "replace": "to replace",
    "delete": "to delete",
}
# The steps that a replacement consists of; the summary counts the replacement as one.
PARTS_OF_REPLACEMENT = {"create-replacement", "delete-replaced"}
# The engine's frame around an error, and its closing line that only says that there were some.
FAILED = re.compile(
    r"^(Preview|Update|Refresh|Destroy) failed: |^(preview|update|refresh|destroy) failed$"
)
STACK = "pulumi:pulumi:Stack"
COLOUR = re.compile(r"<\{%.*?%\}>|\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Step:
    """What the engine did, or would do, with one resource."""

    urn: str
    type: str
    operation: str
    changed: tuple[str, ...] = ()
    """Paths of the inputs that differ; a trailing ` (replaces)` marks the ones that force it."""
    inputs: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """As the engine tells them: without the text of secrets."""

    @property
    def name(self) -> str:
        return self.urn.rsplit("::", 1)[-1]


@dataclass(frozen=True)
class Violation:
    """What a policy pack found; a mandatory one fails the run."""

    rule: str
    mandatory: bool
    line: str
    """Names the resource, what stands there, what is allowed and the way out."""


@dataclass
class EngineResult:
    """How one run ended, and what it did."""

    ok: bool = False
    code: int = 0
    errors: list[str] = field(default_factory=list)
    """One line each, for people."""
    notices: list[str] = field(default_factory=list)
    """What plugins and the program said without being an error, in order, each once."""
    changes: dict[str, int] = field(default_factory=dict)
    """Counts by operation as the engine names it: create, update, same, …"""
    steps: list[Step] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    """In the order in which they were found; empty without a policy pack."""
    outputs: dict[str, Any] = field(default_factory=dict)
    """What the stack exports, where the run came so far."""
    stdout: str = ""
    planned: bool = False
    """A preview: nothing was done."""

    @property
    def changed(self) -> int:
        """How many resources would be, or were, touched."""
        return sum(count for name, count in self.changes.items() if name != "same")

    @property
    def summary(self) -> str:
        """Such as `42 created, 3 unchanged`."""
        words = OPERATIONS | (PLANNED if self.planned else {})
        parts = [f"{n} {words.get(name, name)}" for name, n in self.changes.items() if n]
        return ", ".join(parts) or "nothing to do"


class EventReader:
    """Turns a stream of JSON lines into an EngineResult."""

    def __init__(self, on_event: Callable[[str], None] | None = None) -> None:
        self.result = EngineResult()
        self._on_event = on_event
        self._begun: Counter[str] = Counter()
        self._done = 0
        self._other: list[str] = []

    def read(self, lines: Iterable[str]) -> None:
        """Consume the stream to its end."""
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:
                self._other.append(line)
                continue
            if isinstance(event, dict):
                self._take(event)
        self.result.stdout = "".join(self._other)

    def _take(self, event: dict[str, Any]) -> None:
        handlers: dict[str, Callable[[dict[str, Any]], None]] = {
            "diagnosticEvent": self._diagnostic,
            "resourcePreEvent": self._begin,
            "resOutputsEvent": self._end,
            "resOpFailedEvent": self._end,
            "summaryEvent": self._summary,
            "policyEvent": self._violation,
        }
        for name, handler in handlers.items():
            if isinstance(event.get(name), dict):
                handler(event[name])

    def _diagnostic(self, event: dict[str, Any]) -> None:
        text = COLOUR.sub("", str(event.get("message", ""))).strip()
        if not text or event.get("ephemeral"):
            return
        severity = event.get("severity")
        if severity == "error":
            line = _located(FAILED.sub("", text), str(event.get("urn", "")))
            if line and line not in self.result.errors:
                self.result.errors.append(line)
        elif severity in ("info", "info#err", "warning") and text not in self.result.notices:
            self.result.notices.append(text)

    def _violation(self, event: dict[str, Any]) -> None:
        # The first line is the policy's description.
        text = COLOUR.sub("", str(event.get("message", ""))).strip()
        mandatory = event.get("enforcementLevel") == "mandatory"
        line = text.partition("\n")[2] or text
        found = Violation(str(event.get("policyName", "")), mandatory, line)
        if found not in self.result.violations:
            self.result.violations.append(found)

    def _begin(self, event: dict[str, Any]) -> None:
        metadata = event.get("metadata") or {}
        operation = str(metadata.get("op", ""))
        if operation in PARTS_OF_REPLACEMENT:
            return
        self._begun[operation] += 1
        urn, kind = str(metadata.get("urn", "")), str(metadata.get("type", ""))
        inputs = (metadata.get("new") or {}).get("inputs") or {}
        step = Step(urn, kind, operation, _changed(metadata), inputs)
        self.result.steps.append(step)
        if operation != "same":
            self._say(f"{operation} {step.name}")

    def _end(self, event: dict[str, Any]) -> None:
        metadata = event.get("metadata") or {}
        if metadata.get("type") == STACK:
            self.result.outputs = (metadata.get("new") or {}).get("outputs") or {}
        self._done += 1
        self._say(f"{self._done} of {max(self._done, sum(self._begun.values()))} resources")

    def _say(self, text: str) -> None:
        if self._on_event:
            self._on_event(text)

    def _summary(self, event: dict[str, Any]) -> None:
        changes = event.get("resourceChanges") or {}
        order = list(OPERATIONS)
        known = sorted(changes, key=lambda name: order.index(name) if name in order else 99)
        self.result.changes = {name: int(changes[name]) for name in known}


def _located(text: str, urn: str) -> str:
    """The message with its resource's name in front, unless it says that itself."""
    name = urn.rsplit("::", 1)[-1]
    if not text or not urn or STACK in urn or name in text:
        return text
    return f"{name}: {text}"


def _changed(metadata: dict[str, Any]) -> tuple[str, ...]:
    detailed = metadata.get("detailedDiff") or {}
    if detailed:
        return tuple(
            path + (" (replaces)" if "replace" in str((diff or {}).get("diffKind", "")) else "")
            for path, diff in sorted(detailed.items())
        )
    return tuple(metadata.get("diffs") or ())
