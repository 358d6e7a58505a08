"""A preview's result for people, machines and pull requests."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from local.engine.events import STACK, EngineResult, Step
from local.preview.budget import WHOLE, Budget
from local.preview.cost import Cost, estimate
from local.preview.pool_cost import Resource

SIGNS = {"create": "+", "update": "~", "replace": "±", "delete": "-", "read": ">"}
VERDICTS = {
    "checked": "checked by the API server",
    "schema": "checked against the schema only, as their namespace does not exist yet",
    "refused": "REFUSED by the API server",
    "unknown-kind": "NOT checked: no source has the schema of their kind",
    "unknown-values": "NOT checked: they hold values known only after the update",
    "no-cluster": "NOT checked: there is no API server here (its programs are not installed)",
}
NAMES_SHOWN = 8


@dataclass(frozen=True)
class Verdict:
    """How one Kubernetes object fared; `api_version` may be empty in a broken manifest."""

    object: str
    verdict: str
    api_version: str
    kind: str

    @classmethod
    def parse(cls, line: str) -> "Verdict":
        """One line of the stand-in's report."""
        read = json.loads(line)
        api_version, kind = str(read.get("apiVersion") or ""), str(read.get("kind") or "")
        return cls(read["object"], read["verdict"], api_version, kind)


@dataclass
class Outcome:
    """One preview. Not `ok` when the program, the engine or the API server refused something."""

    stack: str
    result: EngineResult
    verdicts: list[Verdict] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    """What could not be had for the checks, such as the schema of a kind."""
    budget: Budget = WHOLE
    """How many resources a stack of its kind may have."""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        broken = any(it.mandatory for it in self.result.violations)
        return self.result.ok and not self.result.errors and not broken

    @property
    def steps(self) -> list[Step]:
        """What would be done, without what stays as it is."""
        return [s for s in self.result.steps if s.operation in SIGNS and s.type != STACK]

    def check_lines(self) -> list[str]:
        """One line for each way in which objects fared."""
        lines = []
        for verdict, meaning in VERDICTS.items():
            names = sorted(v.object for v in self.verdicts if v.verdict == verdict)
            if names:
                shown = "" if verdict in ("checked", "schema") else f": {_some(names)}"
                lines.append(f"{len(names)} Kubernetes objects {meaning}{shown}")
        return lines

    @property
    def resources(self) -> int:
        """How many the stack would have, without itself."""
        return sum(1 for step in self._kept if step.type != STACK)

    @property
    def cost(self) -> Cost:
        """Of what the stack would be."""
        return estimate(Resource(step.type, step.inputs) for step in self._kept)

    @property
    def _kept(self) -> list[Step]:
        """Of everything that would be there afterwards."""
        return [step for step in self.result.steps if step.operation != "delete"]

    def said(self) -> list[str]:
        """What plugins and program said, then what the checks lacked, then the stack's size."""
        size = [self.budget.line(self.resources)] if self.result.ok else []
        return list(dict.fromkeys([*self.result.notices, *self.notices, *size]))

    def violation_lines(self) -> list[str]:
        """One line for each violation of a rule, the mandatory ones first."""
        ordered = sorted(self.result.violations, key=lambda it: (not it.mandatory, it.rule))
        words = {True: "mandatory", False: "advisory "}
        return [f"{words[it.mandatory]}  {it.rule}  {it.line}" for it in ordered]

    def text(self) -> str:
        """For a terminal."""
        lines = [f"Preview of stack {self.stack}: {self.result.summary}", ""]
        lines += [f"  {_line(step)}" for step in self.steps]
        lines += ["", *(f"  {line}" for line in self.check_lines())]
        lines += ["", *(f"  {line}" for line in self.said())]
        if priced := self.cost.lines():
            lines += ["", "Cost:", *(f"  {line}" for line in priced)]
        if self.result.violations:
            lines += ["", "Policies:", *(f"  {line}" for line in self.violation_lines())]
        if self.result.errors:
            lines += ["", "Errors:", *(f"  {_indented(error)}" for error in self.result.errors)]
        lines += ["", f"{'ok' if self.ok else 'FAILED'} in {self.seconds:.1f} s"]
        return "\n".join(lines)

    def json_text(self) -> str:
        """For machines: one JSON object."""
        return json.dumps(self.as_json(), indent=2)

    def as_json(self) -> dict[str, Any]:
        return {
            "stack": self.stack,
            "ok": self.ok,
            "seconds": round(self.seconds, 1),
            "summary": self.result.changes,
            "budget": {
                "kind": self.budget.kind,
                "resources": self.resources,
                "most": self.budget.most,
            },
            "cost": self.cost.as_json(),
            "errors": self.result.errors,
            "notices": self.said(),
            "checks": dict(Counter(v.verdict for v in self.verdicts)),
            "violations": [
                {"rule": it.rule, "mandatory": it.mandatory, "line": it.line}
                for it in self.result.violations
            ],
            "resources": [
                {
                    "operation": step.operation,
                    "urn": step.urn,
                    "type": step.type,
                    "name": step.name,
                    "changed": list(step.changed),
                }
                for step in self.steps
            ],
        }

    def markdown(self) -> str:
        """For a pull request: the verdict first, the long lists folded."""
        mark = "✅" if self.ok else "❌"
        parts = [f"## {mark} `{self.stack}`: {self.result.summary}"]
        if self.result.errors:
            parts.append("### Errors\n" + _fenced(self.result.errors))
        if self.result.violations:
            parts.append("### Policies\n" + _fenced(self.violation_lines()))
        if priced := self.cost.lines():
            parts.append(f"**Cost:** {priced[0]}")
            detail = "\n".join(f"- {_escaped(line)}" for line in priced[1:])
            parts.append(f"<details><summary>By part</summary>\n\n{detail}\n</details>")
        parts.append("\n".join(f"- {_escaped(line)}" for line in self.check_lines()))
        kinds = Counter((step.operation, step.type) for step in self.steps)
        rows = [f"| {SIGNS[op]} | `{kind}` | {n} |" for (op, kind), n in sorted(kinds.items())]
        if rows:
            table = "\n".join(["| | type | count |", "|---|---|---:|", *rows])
            parts.append(f"<details><summary>By type</summary>\n\n{table}\n</details>")
            listed = _fenced([_line(step) for step in self.steps])
            parts.append(f"<details><summary>All resources</summary>\n\n{listed}\n</details>")
        parts.append("\n".join(f"- {_escaped(line)}" for line in self.said()))
        return "\n\n".join(part for part in parts if part) + "\n"


def _line(step: Step) -> str:
    changed = f"  [{', '.join(step.changed)}]" if step.changed else ""
    return f"{SIGNS[step.operation]} {step.type}  {step.name}{changed}"


def _some(names: Sequence[str]) -> str:
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _indented(text: str) -> str:
    return text.replace("\n", "\n  ")


def _fenced(lines: Sequence[str]) -> str:
    # Four backticks, as an error's own text may hold three.
    return "\n".join(["````text", *(line.replace("````", "'") for line in lines), "````"])


def _escaped(text: str) -> str:
    return text.replace("<", "&lt;").replace("|", "\\|").replace("\n", " ")
