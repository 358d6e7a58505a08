"""A sample service for the sample agent: support tickets behind a bearer token.

`POST /api/tickets` · `GET /api/tickets` · `GET /api/tickets/{id}` · `/openapi.json` · `/health`.
A repeated `Idempotency-Key` gives the ticket that the first request made.
"""

import hmac
import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.params import Depends as DependsMark
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from local.report import UserError
from local.workloads.log_lines import trace_id_of
from local.workloads.serving import LOG_FIELDS, arguments, entry, serve

FIRST_NUMBER = 1001
MOST_TICKETS = 10_000
Line = Annotated[str, Field(min_length=1, max_length=200)]


class NewTicket(BaseModel):
    """What a customer asks for."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    subject: Line
    description: Annotated[str, Field(max_length=8_000)] = ""
    priority: Literal["low", "normal", "high"] = "normal"


class Ticket(NewTicket):
    """A ticket as the service keeps it."""

    id: str
    status: Literal["open"] = "open"
    created: datetime
    trace_id: str | None = None
    """The trace of the request that made it."""


class Desk:
    """All tickets, oldest first; with a file they outlive the process."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._keys: dict[str, str] = {}
        self._tickets: dict[str, Ticket] = {}
        if file is not None and file.exists():
            self._load(file)

    def _load(self, file: Path) -> None:
        try:
            kept = TypeAdapter(list[Ticket]).validate_json(file.read_bytes())
        except (OSError, ValidationError) as error:
            raise UserError(f"{file} holds no tickets; move it away to start anew") from error
        self._tickets = {ticket.id: ticket for ticket in kept}

    def open(self, new: NewTicket, *, key: str | None, trace_id: str | None) -> tuple[Ticket, bool]:
        """The ticket for this request, and whether it is a new one."""
        with self._lock:
            if key and key in self._keys:
                return self._tickets[self._keys[key]], False
            if len(self._tickets) >= MOST_TICKETS:
                raise HTTPException(507, f"the sample service keeps at most {MOST_TICKETS} tickets")
            name = f"T-{FIRST_NUMBER + len(self._tickets)}"
            now = datetime.now(UTC)
            ticket = Ticket(**new.model_dump(), id=name, created=now, trace_id=trace_id)
            self._tickets[name] = ticket
            if key:
                self._keys[key] = name
            self._save()
            return ticket, True

    def _save(self) -> None:
        if self._file is None:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        draft = self._file.with_suffix(".draft")
        draft.write_text(json.dumps([each.model_dump(mode="json") for each in self.all()]))
        draft.replace(self._file)

    def all(self) -> list[Ticket]:
        return list(self._tickets.values())

    def get(self, name: str) -> Ticket | None:
        return self._tickets.get(name)


def _bearer_check(token_file: Path) -> DependsMark:
    scheme = HTTPBearer(auto_error=False)

    def check(given: Annotated[HTTPAuthorizationCredentials | None, Depends(scheme)]) -> None:
        # Read each time: a mounted Secret changes while the process runs.
        token = token_file.read_text().strip()
        offered = given.credentials if given else ""
        if not hmac.compare_digest(offered.encode(), token.encode()):
            raise HTTPException(
                401,
                "a valid bearer token is needed: the service's own, from its Secret",
                {"www-authenticate": "Bearer"},
            )

    mark: DependsMark = Depends(check)
    return mark


def build_app(desk: Desk, token_file: Path) -> FastAPI:
    """The service on `desk`, open to who holds the token in `token_file`."""
    app = FastAPI(title="Ticketing (sample)", version="1.0.0", docs_url=None, redoc_url=None)
    guarded = [_bearer_check(token_file)]

    @app.post("/api/tickets", status_code=201, operation_id="createTicket", dependencies=guarded)
    def create(
        new: NewTicket,
        request: Request,
        response: Response,
        idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
    ) -> Ticket:
        """Open a ticket."""
        trace_id = trace_id_of(request.headers.get("traceparent"))
        ticket, is_new = desk.open(new, key=idempotency_key, trace_id=trace_id)
        response.status_code = 201 if is_new else 200
        response.headers["location"] = f"/api/tickets/{ticket.id}"
        getattr(request.state, LOG_FIELDS, {})["ticket"] = ticket.id
        return ticket

    @app.get("/api/tickets", operation_id="listTickets", dependencies=guarded)
    def listed() -> list[Ticket]:
        """All tickets, oldest first."""
        return desk.all()

    @app.get("/api/tickets/{name}", operation_id="getTicket", dependencies=guarded)
    def one(name: str) -> Ticket:
        """One ticket."""
        ticket = desk.get(name)
        if ticket is None:
            raise HTTPException(404, "no such ticket")
        return ticket

    @app.get("/health", include_in_schema=False)
    def health() -> dict[str, str]:
        return {"status": "ok"}

    return app


def main() -> None:
    parser = arguments("ticket_service", "Keep support tickets: a sample service.")
    parser.add_argument("--token-file", type=Path, required=True, help="the bearer token it wants")
    parser.add_argument("--data", type=Path, help="file for the tickets; in memory without it")
    options = parser.parse_args()
    if not options.token_file.is_file() or not options.token_file.read_text().strip():
        raise UserError(f"{options.token_file}: no token there; mount the Secret ticketing-token")
    app = build_app(Desk(options.data), options.token_file)
    serve(app, name="ticket_service", host=options.host, port=options.port)


if __name__ == "__main__":
    entry(main)
