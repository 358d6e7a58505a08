"""What every store of runs promises, asked of each of them."""

import asyncio
from contextlib import aclosing

import pytest
from redis.asyncio import Redis

from agent_runtime.agent.result import RunResult
from agent_runtime.errors import RequestError
from agent_runtime.runs.ends import completed, failed, handed_back, waiting
from agent_runtime.runs.packing import dumps
from agent_runtime.runs.port import RunEvent
from agent_runtime.runs.store import Claim, End, RunStore, SessionBusyError, Write
from tests.agent_runtime.runs.conftest import new_run, stored_runs

pytestmark = pytest.mark.services

ME, OTHER = "worker-1", "worker-2"
RESULT = RunResult("yes", "completed", "stop", "m", "s", "t")
ASKED = RunResult("wait", "waiting_input", "stop", "m", "s", "t", approvals=[{"id": "a1"}])
ANSWER = {"role": "assistant", "content": "yes"}


async def submitted(store: RunStore, session: str = "s", **changes: object) -> Claim:
    await store.beat(ME, {})
    taken = await store.submit(new_run(session, **changes), ME)
    assert taken.claim, "a worker with room gets the run at once"
    return taken.claim


async def ended(store: RunStore, claim: Claim, end: End, *, number: int = 1) -> str:
    (written,) = await store.write(ME, [Write(claim, number, 0, end=end)])
    return written.outcome


async def told(store: RunStore, run_id: str, after: str | None = None) -> list[RunEvent]:
    async with aclosing(store.events(run_id, after)) as events:
        return [event async for event in events]


async def test_a_run_is_taken_written_and_ended(store: RunStore) -> None:
    claim = await submitted(store)
    write = Write(claim, 1, 0, journal={"m:0": '{"x":1}'}, events=[("text.delta", '{"text":"y"}')])
    (written,) = await store.write(ME, [write])
    assert written.outcome == "ok"
    assert await ended(store, claim, completed(RESULT, [ANSWER]), number=2) == "ok"
    record = await store.get("acme", claim.run_id)
    assert record
    assert (record.state, record.result, record.metadata) == (
        "completed",
        RESULT,
        {"kept": True},
    )
    kinds = [event.type for event in await told(store, claim.run_id)]
    assert kinds == ["run.queued", "run.running", "text.delta", "run.completed"]


async def test_events_continue_after_the_one_that_was_seen(store: RunStore) -> None:
    claim = await submitted(store)
    await ended(store, claim, completed(RESULT, []))
    every = await told(store, claim.run_id)
    rest = await told(store, claim.run_id, every[0].id)
    assert rest == every[1:]


async def test_events_of_a_run_are_followed_while_it_goes_on(store: RunStore) -> None:
    claim = await submitted(store)
    following = asyncio.create_task(told(store, claim.run_id))
    for number in range(1, 4):
        await store.write(ME, [Write(claim, number, 0, events=[("text.delta", '{"text":"y"}')])])
    await ended(store, claim, completed(RESULT, []), number=4)
    async with asyncio.timeout(20):
        kinds = [event.type for event in await following]
    assert kinds.count("text.delta") == 3
    assert kinds[-1] == "run.completed"


async def test_another_tenant_does_not_see_the_run(store: RunStore) -> None:
    claim = await submitted(store)
    assert await store.get("other", claim.run_id) is None
    assert await store.cancel("other", claim.run_id, "no") == "unknown"
    assert await store.answer("other", claim.run_id, {"a": "{}"}) == "unknown"
    page = await store.list("other", session=None, state=None, limit=10, cursor=None)
    assert page.runs == ()


async def test_the_same_key_is_the_same_run(store: RunStore) -> None:
    claim = await submitted(store, idempotency_key="k")
    again = await store.submit(new_run(idempotency_key="k"), ME)
    assert again.record.id == claim.run_id
    assert again.digest == "d"
    assert again.claim is None


async def test_a_busy_session_lets_the_next_run_wait_its_turn(store: RunStore) -> None:
    first = await submitted(store)
    second = await store.submit(new_run(question="and?"), ME)
    assert second.claim is None
    assert await store.next(ME, 0.05) is None, "it must wait for the first"
    await ended(store, first, completed(RESULT, [ANSWER]))
    claim = await store.next(ME, 2)
    assert claim
    assert claim.run_id == second.record.id
    assert claim.history == [ANSWER]


async def test_a_busy_session_may_reject(store: RunStore) -> None:
    first = await submitted(store)
    with pytest.raises(SessionBusyError, match=first.run_id):
        await store.submit(new_run(on_busy="reject"), ME)


@pytest.mark.parametrize(("policy", "kept"), [("interrupt", 1), ("rollback", 0)])
async def test_a_busy_session_may_be_taken_over(store: RunStore, policy: str, kept: int) -> None:
    first = await submitted(store)
    waits = await store.submit(new_run(), ME)
    second = await store.submit(new_run(on_busy=policy), ME)
    assert second.claim
    assert len(second.claim.history) == kept * 2
    assert await ended(store, first, completed(RESULT, [ANSWER])) == "stale"
    for run in (first.run_id, waits.record.id):
        record = await store.get("acme", run)
        assert record
        assert record.state == "canceled"


async def test_a_canceled_run_is_over_at_once_and_frees_its_session(store: RunStore) -> None:
    claim = await submitted(store)
    following = await store.submit(new_run(), ME)
    assert await store.cancel("acme", claim.run_id, "enough") == "ok"
    assert await store.cancel("acme", claim.run_id, "enough") == "ended"
    assert await ended(store, claim, completed(RESULT, [])) == "stale"
    taken = await store.next(ME, 2)
    assert taken
    assert taken.run_id == following.record.id
    assert (await store.beat(ME, {claim.run_id: claim.fence})).lost == [claim.run_id]


async def test_a_canceled_run_in_the_queue_is_never_taken(store: RunStore) -> None:
    queued = await store.submit(new_run(), "")
    assert await store.cancel("acme", queued.record.id, "enough") == "ok"
    assert await store.next(ME, 0.05) is None


async def test_a_write_that_is_sent_twice_counts_once(store: RunStore) -> None:
    claim = await submitted(store)
    write = Write(claim, 1, 0, events=[("text.delta", '{"text":"y"}')])
    outcomes = [(await store.write(ME, [write]))[0].outcome for _ in range(2)]
    assert outcomes == ["ok", "repeated"]
    end = completed(RESULT, [ANSWER])
    assert await ended(store, claim, end, number=2) == "ok"
    assert await ended(store, claim, end, number=2) in ("repeated", "stale")
    assert (await store.session("acme", "s")).messages == (ANSWER,)


async def test_a_run_waits_for_people_without_a_worker(store: RunStore) -> None:
    claim = await submitted(store)
    journal = {"m:0": '{"x":1}'}
    end = waiting(ASKED, 4_000_000_000)
    (written,) = await store.write(ME, [Write(claim, 1, 0, journal=journal, end=end)])
    assert written.outcome == "ok"
    record = await store.get("acme", claim.run_id)
    assert record
    assert (record.state, record.approvals) == ("waiting_input", [{"id": "a1"}])
    yes, no = dumps({"approved": True}), dumps({"approved": False})
    assert await store.answer("acme", claim.run_id, {"other": yes}) == "no_approval"
    assert await store.answer("acme", claim.run_id, {"a1": yes}) == "ok"
    assert await store.answer("acme", claim.run_id, {"a1": yes}) == "ok", "the same again"
    assert await store.answer("acme", claim.run_id, {"a1": no}) == "answered"
    again = await store.next(ME, 2)
    assert again
    assert again.journal["m:0"] == {"x": 1}
    assert again.journal["d:a1"] == {"approved": True}
    assert again.attempt == 1, "waiting costs no attempt"
    assert await ended(store, again, completed(RESULT, [ANSWER])) == "ok"


async def test_a_run_that_waits_for_people_can_be_canceled_and_frees_its_session(
    store: RunStore,
) -> None:
    claim = await submitted(store)
    following = await store.submit(new_run(question="and?"), ME)
    assert await ended(store, claim, waiting(ASKED, 4_000_000_000)) == "ok"
    assert await store.cancel("acme", claim.run_id, "enough") == "ok"
    late = await store.answer("acme", claim.run_id, {"a1": dumps({"approved": True})})
    assert late in ("idle", "no_approval")
    taken = await store.next(ME, 2)
    assert taken
    assert taken.run_id == following.record.id


async def test_nobody_decides_forever(store: RunStore) -> None:
    claim = await submitted(store)
    await ended(store, claim, waiting(ASKED, 1.0))
    await store.reap(ME)
    again = await store.next(ME, 2)
    assert again
    assert again.journal["d:a1"]["approved"] is False


async def test_what_a_lost_worker_held_goes_back_but_never_that_of_the_one_who_looks(
    redis: Redis,
) -> None:
    store = stored_runs(redis, lease_seconds=60)
    claim = await submitted(store)
    lease = f"{store._prefix}w:{ME}"
    assert await redis.delete(lease), "it lapsed"
    assert (await store.reap(ME)).given_back == 0, "whoever looks is alive"
    assert await redis.delete(lease)
    assert (await store.reap(OTHER)).given_back == 1
    again = await store.next(OTHER, 2)
    assert again
    assert (again.run_id, again.attempt) == (claim.run_id, 2)
    assert await ended(store, claim, completed(RESULT, [])) == "stale"
    await store.close()


async def test_what_a_leaving_worker_still_holds_goes_back_and_costs_no_attempt(
    redis: Redis,
) -> None:
    store = stored_runs(redis, lease_seconds=60)
    claim = await submitted(store)
    await store.leave(ME)
    again = await store.next(OTHER, 2)
    assert again
    assert (again.run_id, again.attempt) == (claim.run_id, 1)
    assert await ended(store, claim, completed(RESULT, [])) == "stale"
    await store.close()


async def test_a_run_that_is_handed_back_is_first_in_the_queue(store: RunStore) -> None:
    claim = await submitted(store)
    await store.submit(new_run("another"), "")
    assert await ended(store, claim, handed_back(0)) == "ok"
    again = await store.next(OTHER, 2)
    assert again
    assert again.attempt == 1
    if type(store).__name__ == "RedisRuns":
        assert again.run_id == claim.run_id


async def test_a_failed_run_says_why_and_is_not_remembered(store: RunStore) -> None:
    claim = await submitted(store)
    await ended(store, claim, failed(RequestError(502, "model_unavailable", "gone")))
    record = await store.get("acme", claim.run_id)
    assert record
    assert record.error
    assert (record.state, record.error.status) == ("failed", 502)
    assert (await store.session("acme", "s")).messages == ()


async def test_runs_are_listed_newest_first_and_in_pages(store: RunStore) -> None:
    ids = []
    for number in range(5):
        ids.append((await store.submit(new_run(f"s{number}"), "")).record.id)
        await asyncio.sleep(0.002)
    page = await store.list("acme", session=None, state=None, limit=3, cursor=None)
    rest = await store.list("acme", session=None, state=None, limit=3, cursor=page.next)
    assert [run.id for run in (*page.runs, *rest.runs)] == ids[::-1]
    only = await store.list("acme", session="s2", state="queued", limit=3, cursor=None)
    assert [run.id for run in only.runs] == [ids[2]]
    none = await store.list("acme", session="s2", state="failed", limit=3, cursor=None)
    assert none.runs == ()
