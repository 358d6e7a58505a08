"""People's decisions, on Valkey and in the process alike: who may, once, for exactly this call."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent_runtime.auth import Identity
from agent_runtime.errors import RequestError
from agent_runtime.memory.approval_desk import Answer, ApprovalDesk
from agent_runtime.memory.approvals import (
    Approval,
    InProcessApprovals,
    RedisApprovals,
    approval_id,
    digest_of,
)
from agent_runtime.memory.audit import InProcessAudit, RedisAudit
from agent_runtime.memory.redis_store import connect
from agent_runtime.secret_file import SecretFile
from tests.harness.workload import Workload

pytestmark = pytest.mark.services

KIM, BO = Identity("acme", "kim"), Identity("acme", "bo", ("payer",))
YES, NO = Answer(approved=True), Answer(approved=False, text="too dear")


def approval(**more: Any) -> Approval:
    arguments = {"amount": 5}
    now = int(time.time())
    given: dict[str, Any] = {
        "id": approval_id("run", "call", "pay", arguments, "v1"),
        "tenant": "acme",
        "run_id": "run",
        "interrupt_id": "",
        "tool": "pay",
        "arguments": arguments,
        "prompt": "May pay be called?",
        "asked_by": "kim",
        "session": "s",
        "created": now,
        "expires": now + 60,
        "version": "v1",
        "digest": digest_of("pay", arguments, "v1"),
    }
    return Approval(**(given | more))


@pytest.fixture(params=["valkey", "process"])
async def desk(request: pytest.FixtureRequest) -> AsyncIterator[ApprovalDesk]:
    agent = f"a-{uuid.uuid4().hex[:8]}"
    if request.param == "process":
        yield ApprovalDesk(InProcessApprovals(), InProcessAudit(agent))
        return
    valkey: Workload = request.getfixturevalue("valkey")
    password: Path = request.getfixturevalue("password_file")
    redis = connect("127.0.0.1", valkey.port, password=SecretFile(password), tls=False)
    yield ApprovalDesk(RedisApprovals(redis, agent), RedisAudit(redis, agent))
    await redis.aclose()


async def refused(desk: ApprovalDesk, who: Identity, asked: Approval, answer: Answer = YES) -> int:
    with pytest.raises(RequestError) as caught:
        await desk.decide(who, asked.id, answer)
    return caught.value.status


async def test_a_decision_counts_once_for_exactly_the_call_that_was_approved(
    desk: ApprovalDesk,
) -> None:
    asked = approval()
    await desk.ask(asked)
    assert await desk.use("acme", asked.id, asked.digest) is None, "nobody has decided"
    await desk.decide(BO, asked.id, YES)
    assert await desk.pending("acme") == []
    ruling = await desk.use("acme", asked.id, asked.digest)
    assert ruling is not None
    assert (ruling.approved, ruling.by) == (True, "bo")
    assert await desk.use("acme", asked.id, asked.digest) is None


@pytest.mark.parametrize(
    ("tool", "arguments", "version"),
    [("pay", {"amount": 500}, "v1"), ("pay", {"amount": 5}, "v2"), ("wire", {"amount": 5}, "v1")],
)
async def test_an_approval_replayed_for_another_call_is_refused_and_gone(
    desk: ApprovalDesk, tool: str, arguments: dict[str, int], version: str
) -> None:
    asked = approval()
    await desk.ask(asked)
    await desk.decide(BO, asked.id, YES)
    assert await desk.use("acme", asked.id, digest_of(tool, arguments, version)) is None
    assert await desk.use("acme", asked.id, asked.digest) is None
    events = [each.event for each in await desk.audit.entries("acme")]
    assert events == ["asked", "approved", "refused"]


async def test_four_eyes_and_roles_are_checked(desk: ApprovalDesk) -> None:
    four = approval(four_eyes=True)
    await desk.ask(four)
    assert await refused(desk, KIM, four) == 403
    assert await refused(desk, Identity("acme"), four) == 403, "nobody known by name"
    assert (await desk.decide(BO, four.id, YES)).id == four.id
    role = approval(id="r" * 32, role="payer")
    await desk.ask(role)
    assert await refused(desk, KIM, role) == 403
    await desk.decide(BO, role.id, YES)


async def test_the_same_word_twice_is_one_decision_and_another_word_is_too_late(
    desk: ApprovalDesk,
) -> None:
    asked = approval()
    await desk.ask(asked)
    await desk.decide(BO, asked.id, NO)
    await desk.decide(BO, asked.id, NO)
    assert await refused(desk, BO, asked, YES) == 409
    assert await refused(desk, KIM, asked, NO) == 409
    ruling = await desk.ruling("acme", asked.id)
    assert ruling is not None
    assert (ruling.approved, ruling.answer) == (False, "too dear")


async def test_of_many_who_decide_at_once_one_counts(desk: ApprovalDesk) -> None:
    asked = approval()
    await desk.ask(asked)
    people = [Identity("acme", f"person-{number}") for number in range(8)]
    answers = [YES if number % 2 else NO for number in range(8)]
    made = await asyncio.gather(
        *(desk.decide(who, asked.id, answer) for who, answer in zip(people, answers, strict=True)),
        return_exceptions=True,
    )
    assert sum(isinstance(each, Approval) for each in made) == 1
    assert await desk.audit.verify("acme") == ""


async def test_what_is_unknown_expired_or_anothers_is_not_found(desk: ApprovalDesk) -> None:
    asked = approval()
    await desk.ask(asked)
    assert await refused(desk, Identity("rival", "eve"), asked) == 404
    assert await refused(desk, BO, approval(id="0" * 32)) == 404
    late = approval(id="1" * 32, expires=int(time.time()) - 1)
    await desk.ask(late)
    async with asyncio.timeout(10):
        while await desk.pending("acme") != [asked]:  # noqa: ASYNC110 # dropped by the store's clock
            await asyncio.sleep(0.05)
    assert await refused(desk, BO, late) == 404


async def test_a_question_that_needs_words_is_not_answered_by_a_nod(desk: ApprovalDesk) -> None:
    asked = approval(needs_answer=True)
    await desk.ask(asked)
    assert await refused(desk, BO, asked) == 400
    await desk.decide(BO, asked.id, Answer(approved=True, text="Fine."))


async def test_asking_again_for_the_same_call_asks_once(desk: ApprovalDesk) -> None:
    asked = approval()
    await desk.ask(asked)
    await desk.decide(BO, asked.id, YES)
    await desk.ask(asked)
    assert await desk.pending("acme") == []
    assert len(await desk.audit.entries("acme")) == 2


async def test_the_trail_tells_who_when_what_and_how(desk: ApprovalDesk) -> None:
    asked = approval(reason="the tool can destroy", trace_id="f" * 32)
    await desk.ask(asked)
    await desk.decide(BO, asked.id, NO, trace_id="e" * 32)
    await desk.use("acme", asked.id, asked.digest)
    trail = await desk.audit.entries("acme")
    assert [(each.number, each.event, each.by, each.reason) for each in trail] == [
        (1, "asked", "kim", "the tool can destroy"),
        (2, "rejected", "bo", "too dear"),
        (3, "used", "kim", ""),
    ]
    assert {each.digest for each in trail} == {asked.digest}
    assert [each.trace_id[0] for each in trail] == ["f", "e", "f"]
    assert await desk.audit.verify("acme") == ""
    assert await desk.audit.entries("rival") == []


@pytest.mark.parametrize("change", ["edit", "drop first", "drop last", "swap"])
async def test_a_trail_that_somebody_changed_is_recognised(
    change: str, valkey: Workload, password_file: Path
) -> None:
    agent = f"a-{uuid.uuid4().hex[:8]}"
    redis = connect("127.0.0.1", valkey.port, password=SecretFile(password_file), tls=False)
    desk = ApprovalDesk(RedisApprovals(redis, agent), RedisAudit(redis, agent))
    for number in range(4):
        await desk.ask(approval(id=f"{number}" * 32))
    assert await desk.audit.verify("acme") == ""
    name = f"agent:acme:{agent}:audit"
    stored = [json.dumps(json.loads(each)) for each in await redis.lrange(name, 0, -1)]
    if change == "edit":
        await redis.lset(name, 1, json.dumps({**json.loads(stored[1]), "by": "eve"}))
    elif change == "drop first":
        await redis.lpop(name)
    elif change == "drop last":
        await redis.rpop(name)
    else:
        await redis.lset(name, 1, stored[2])
        await redis.lset(name, 2, stored[1])
    assert await desk.audit.verify("acme") != ""
    await redis.aclose()


def test_the_id_of_an_approval_is_that_of_one_call_with_its_arguments() -> None:
    one = ("run", "call", "pay", {"amount": 5}, "v1")
    others = [
        ("run2", *one[1:]),
        ("run", "call2", *one[2:]),
        ("run", "call", "wire", *one[3:]),
        ("run", "call", "pay", {"amount": 6}, "v1"),
        (*one[:4], "v2"),
    ]
    assert len({approval_id(*one), *(approval_id(*each) for each in others)}) == 6
    assert approval_id(*one) == approval_id(*replace_order(one))


def replace_order(call: tuple[Any, ...]) -> tuple[Any, ...]:
    """The same call, its arguments read back from JSON."""
    return (*call[:3], json.loads(json.dumps(call[3])), call[4])
