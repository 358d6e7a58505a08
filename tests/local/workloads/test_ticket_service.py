"""The sample ticket service as a process."""

import re
from pathlib import Path

import httpx
import pytest

from tests.harness.workload import eventually, workload

pytestmark = pytest.mark.services

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text("s3cret-token\n")
    return file


def test_a_ticket_is_kept_with_its_trace_and_outlives_the_process(
    token: Path, tmp_path: Path
) -> None:
    arguments = ("--token-file", token, "--data", tmp_path / "data" / "tickets.json")
    headers = {"authorization": "Bearer s3cret-token", "traceparent": TRACEPARENT}
    with workload("ticket_service", *arguments) as service:
        body = {"subject": "The pump leaks", "priority": "high"}
        made = httpx.post(f"{service.url}/api/tickets", json=body, headers=headers)
        assert made.status_code == 201
        assert re.fullmatch(r"T-\d+", made.json()["id"])
    line = eventually(lambda: service.events("request") or None, "the log line")[0]
    assert line["trace_id"] == TRACEPARENT.split("-")[1]
    assert line["ticket"] == made.json()["id"]
    assert "s3cret-token" not in "\n".join(service.lines)
    with workload("ticket_service", *arguments) as service:
        kept = httpx.get(f"{service.url}/api/tickets", headers=headers).json()
    assert [(each["subject"], each["trace_id"]) for each in kept] == [
        ("The pump leaks", line["trace_id"])
    ]


def test_a_repeated_idempotency_key_makes_one_ticket(token: Path) -> None:
    headers = {"authorization": "Bearer s3cret-token", "idempotency-key": "run-1:2:3"}
    with workload("ticket_service", "--token-file", token) as service:
        url = f"{service.url}/api/tickets"
        answers = [httpx.post(url, json={"subject": "x"}, headers=headers) for _ in range(2)]
        assert [each.status_code for each in answers] == [201, 200]
        assert len(httpx.get(url, headers=headers).json()) == 1


@pytest.mark.parametrize("given", ["", "Bearer wrong", "Basic s3cret-token"])
def test_nobody_gets_in_without_the_token(token: Path, given: str) -> None:
    with workload("ticket_service", "--token-file", token) as service:
        headers = {"authorization": given} if given else {}
        answer = httpx.post(f"{service.url}/api/tickets", json={"subject": "x"}, headers=headers)
    assert answer.status_code == 401


def test_unknown_fields_are_refused_and_the_contract_is_readable(token: Path) -> None:
    headers = {"authorization": "Bearer s3cret-token"}
    with workload("ticket_service", "--token-file", token) as service:
        body = {"subject": "x", "tenant": "other"}
        assert (
            httpx.post(f"{service.url}/api/tickets", json=body, headers=headers).status_code == 422
        )
        contract = httpx.get(f"{service.url}/openapi.json").json()
    assert contract["paths"]["/api/tickets"]["post"]["operationId"] == "createTicket"
