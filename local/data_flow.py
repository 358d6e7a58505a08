"""The fifteen steps of the architecture's data flow, each with the evidence one request left.

Evidence is read from what the parts wrote themselves: the gateway's access log, the logs of vector
store and models, the trace. A step without evidence is shown as missing.
"""

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx
from rich.table import Table
from rich.text import Text

from local.paths import State
from local.report import UserError

WAIT_SECONDS = 15.0
"""Exporters send spans in batches, at most five seconds apart."""
POLL_SECONDS = 0.25
OPERATION = "gen_ai.operation.name"
TENANT = "langfuse.observation.metadata.tenant"
REFUSALS = (401, 403, 429)

Record = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """One step; `evidence` is empty when there is none."""

    number: int
    layer: str
    title: str
    evidence: str = ""
    source: str = ""
    milliseconds: float | None = None

    @property
    def found(self) -> bool:
        return bool(self.evidence)

    def as_json(self) -> Record:
        return asdict(self) | {"numbers": [self.number], "found": self.found}


@dataclass(frozen=True)
class Evidence:
    """Everything that carries one trace id."""

    gateway: list[Record] = field(default_factory=list)
    models: list[Record] = field(default_factory=list)
    store: list[Record] = field(default_factory=list)
    spans: list[Record] = field(default_factory=list)

    def client_request(self) -> Record:
        """The gateway's line of the client's own request: the one that took to an agent."""
        return next((each for each in self.gateway if _to_agent(each)), {})

    def model_request(self) -> Record:
        """The gateway's first line of an agent's chat request to a model."""
        chats = [
            each for each in self.gateway if not _to_agent(each) and "chat" in str(each.get("path"))
        ]
        return next(iter(chats), {})

    def operation(self, name: str) -> Record:
        """The first span of a GenAI operation."""
        found = (each for each in self.spans if each["attributes"].get(OPERATION) == name)
        return next(found, {})

    def retrieval(self) -> Record:
        """The span of a tool call that searched."""
        kind = "langfuse.observation.type"
        found = (each for each in self.spans if each["attributes"].get(kind) == "retriever")
        return next(found, {})


def _to_agent(line: Record) -> bool:
    return str(line.get("cluster", "")).startswith("ai-agents/")


def printable(text: str) -> str:
    """`text` without the control characters by which it could rewrite a terminal."""
    return "".join(char if char.isprintable() or char in "\n\t" else "�" for char in text)


def follow(
    trace_id: str, state: State, *, traces_url: str, wait_seconds: float = WAIT_SECONDS
) -> list[Step]:
    """The fifteen steps of one request; waits until its agent's span has been delivered."""
    if len(trace_id) != 32 or not set(trace_id) <= set("0123456789abcdef"):
        raise UserError(f"{trace_id!r} is no trace id: 32 hexadecimal digits, as `make ask` prints")
    spans = _await_spans(trace_id, traces_url.rstrip("/"), wait_seconds)
    return steps_of(read_evidence(trace_id, state.pod_log, spans))


def _await_spans(trace_id: str, url: str, wait_seconds: float) -> list[Record]:
    deadline = time.monotonic() + wait_seconds
    with httpx.Client(timeout=10, trust_env=False) as client:
        while True:
            spans = _spans(client, f"{url}/traces/{trace_id}")
            whole = any(each["attributes"].get(OPERATION) == "invoke_agent" for each in spans)
            if whole or time.monotonic() > deadline:
                return spans
            time.sleep(POLL_SECONDS)


def _spans(client: httpx.Client, url: str) -> list[Record]:
    try:
        response = client.get(url)
        waiting = list(response.json()["roots"]) if response.is_success else []
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise UserError(f"{url} can't be read ({type(error).__name__}: {error})") from error
    spans: list[Record] = []
    while waiting:
        span = waiting.pop()
        spans.append(span)
        waiting += span["children"]
    return sorted(spans, key=lambda each: each["offset_ms"])


def read_evidence(trace_id: str, logs: Path, spans: list[Record]) -> Evidence:
    """What the Pods' logs hold of a trace, oldest first, beside its spans."""

    def lines(pattern: str) -> list[Record]:
        found = [each for file in sorted(logs.glob(pattern)) for each in _read(file, trace_id)]
        return sorted(found, key=lambda each: str(each.get("time")))

    return Evidence(
        gateway=lines("ai-gateway_*.log*"),
        models=lines("ai-inference_*.log*"),
        store=lines("ai-data_*.log*"),
        spans=spans,
    )


def _read(file: Path, trace_id: str) -> Iterable[Record]:
    wanted = trace_id.encode()
    with file.open("rb") as log:
        for line in log:
            if wanted not in line:
                continue
            try:
                record = json.loads(line)
            except ValueError:
                continue
            # A client may write any id anywhere, such as into a path; only this field counts.
            if isinstance(record, dict) and record.get("trace_id") == trace_id:
                yield record


def steps_of(evidence: Evidence) -> list[Step]:
    """The architecture's steps in order."""
    steps = [*_gateway_steps(evidence), *_agent_steps(evidence), *_search_steps(evidence)]
    steps += [*_model_steps(evidence), _record_step(evidence), *_return_steps(evidence)]
    return steps


def _gateway_steps(evidence: Evidence) -> list[Step]:
    line = evidence.client_request() or next(iter(evidence.gateway), {})
    status = line.get("status")
    tenant = line.get("tenant")
    came = f"{line.get('method')} {line.get('path')} for {line.get('model')}" if line else ""
    known = f"tenant {tenant}" if tenant and status != 401 else ""
    routed = f"to {line.get('cluster')}" if line.get("cluster") and status not in REFUSALS else ""
    log = "gateway log"
    return [
        Step(1, "gateway", "takes the request", came, log),
        Step(2, "gateway", "authenticates", known, log),
        Step(3, "gateway", "authorizes and routes", routed if known else "", log),
    ]


def _agent_steps(evidence: Evidence) -> list[Step]:
    span = evidence.operation("invoke_agent")
    about = span.get("attributes", {})
    upstream = evidence.client_request().get("upstream")
    picked = f"{about.get('gen_ai.agent.name')} at {upstream}" if span and upstream else ""
    task = f"session {about.get('session.id')} of tenant {about.get(TENANT)}" if span else ""
    return [
        Step(4, "agent", "is picked", picked, "gateway log, trace"),
        Step(5, "agent", "takes the task", task, "trace"),
    ]


def _search_steps(evidence: Evidence) -> list[Step]:
    tool, embedding = evidence.retrieval(), evidence.operation("embeddings")
    search = next((each for each in evidence.store if each.get("method") == "Search"), {})
    embedded = next((each for each in evidence.models if each.get("texts")), {})
    asked = f"calls {tool['attributes'].get('gen_ai.tool.name')}" if tool else ""
    vector = f"{embedded.get('tokens')} tokens by {embedded.get('model')}" if embedded else ""
    hits = ""
    if search and search.get("code") == 0:
        hits = f"{search.get('hits')} hits in {search.get('collection')}"
    return [
        Step(6, "agent", "searches for context", asked, "trace", _ms(tool)),
        Step(7, "model", "embeds the query", vector, "model log", _ms(embedding)),
        Step(8, "data", "Milvus searches", hits, "vector store log", _ms(search)),
    ]


def _model_steps(evidence: Evidence) -> list[Step]:
    line, span = evidence.model_request(), evidence.operation("chat")
    inferred = next((each for each in evidence.models if each.get("finish")), {})
    through = f"{line.get('model')} at {line.get('cluster')}" if line.get("status") == 200 else ""
    tokens = ""
    if inferred:
        spent = (inferred.get("prompt_tokens"), inferred.get("completion_tokens"))
        tokens = f"{spent[0]} + {spent[1]} tokens, {inferred.get('finish')}"
    about = span.get("attributes", {})
    model = about.get("gen_ai.response.model")
    return [
        Step(9, "gateway", "passes the prompt to a model", through, "gateway log", _ms(line)),
        Step(10, "model", "infers", tokens, "model log", _ms(inferred)),
        Step(11, "agent", "has the model's reply", f"from {model}" if model else "", "trace",
             _ms(span)),
    ]  # fmt: skip


def _record_step(evidence: Evidence) -> Step:
    spans = evidence.spans
    services = sorted({str(each["service"]) for each in spans})
    kept = f"{len(spans)} spans of {', '.join(services)}" if spans else ""
    return Step(12, "observability", "records the trace", kept, "trace receiver")


def _return_steps(evidence: Evidence) -> list[Step]:
    span, line = evidence.operation("invoke_agent"), evidence.client_request()
    ended = f"status {span['status']}" if span else ""
    status = line.get("status")
    answered = f"status {status}, {line.get('tokens')} tokens" if status else ""
    flags = str(line.get("flags") or "")
    # Envoy's response flag DC: the client hung up before the last byte.
    delivered = f"first byte after {line.get('first_byte_ms')} ms" if line else ""
    return [
        Step(13, "agent", "returns its answer", ended, "trace", _ms(span)),
        Step(14, "gateway", "returns the response", answered, "gateway log", _ms(line)),
        Step(15, "client", "has the response", "" if "DC" in flags else delivered, "gateway log"),
    ]


def _ms(record: Record) -> float | None:
    value = record.get("duration_ms")
    return float(value) if isinstance(value, int | float) else None


def steps_table(steps: list[Step]) -> Table:
    """For people; foreign text is shown as it is, never read as markup."""
    table = Table(title="data flow", title_justify="left")
    for title in ("#", "layer", "step", "evidence", "ms", "found in"):
        table.add_column(title, justify="right" if title in ("#", "ms") else "left")
    for step in steps:
        took = "" if step.milliseconds is None else f"{step.milliseconds:.1f}"
        evidence = Text(printable(step.evidence)) if step.found else Text("missing", style="red")
        table.add_row(str(step.number), step.layer, step.title, evidence, took, step.source)
    return table
