"""Phase, conditions and container statuses."""

from typing import Any

import pytest

from local.node_agent.pod_status import PodRecord, phase, status
from tests.local.node_agent.samples import container, pod

pytestmark = pytest.mark.unit


def record(policy: str = "Always", *names: str, init: tuple[str, ...] = ()) -> PodRecord:
    made = PodRecord.resumed(
        pod(
            *(container(name) for name in names or ("main",)),
            restartPolicy=policy,
            initContainers=[container(name) for name in init],
        )
    )
    made.initialized = not init
    made.pod_ip, made.host_ip = "127.128.0.2", "127.64.0.1"
    return made


def condition(made: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(c for c in made["conditions"] if c["type"] == kind)


def test_a_pod_that_never_ran_is_pending() -> None:
    made = record()
    assert phase(made) == "Pending"
    made.containers[0].waiting("ImageNotRunnable", "why")
    assert phase(made) == "Pending"
    assert status(made, {})["containerStatuses"][0]["state"] == {
        "waiting": {"reason": "ImageNotRunnable", "message": "why"}
    }


def test_it_is_ready_when_all_its_containers_are() -> None:
    made = record("Always", "a", "b")
    for entry in made.containers:
        entry.running("process://1")
    assert phase(made) == "Running"
    made.containers[0].ready = True
    found = status(made, {})
    assert condition(found, "Ready")["status"] == "False"
    assert condition(found, "Ready")["message"] == "containers with unready status: ['b']"
    made.containers[1].ready = True
    assert condition(status(made, {}), "Ready")["status"] == "True"
    made.stopping = True
    assert condition(status(made, {}), "Ready")["status"] == "False"


def test_a_crash_loop_keeps_the_phase_and_shows_the_last_end() -> None:
    made = record()
    entry = made.containers[0]
    entry.running("process://1")
    entry.terminated(3)
    entry.backing_off(10, "web-0_shop(uid)")
    found = status(made, {})
    assert found["phase"] == "Running"
    shown = found["containerStatuses"][0]
    assert shown["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert "back-off 10s" in shown["state"]["waiting"]["message"]
    assert shown["lastState"]["terminated"]["exitCode"] == 3


@pytest.mark.parametrize(
    ("policy", "codes", "expected"),
    [
        ("Never", (0, 0), "Succeeded"),
        ("Never", (0, 1), "Failed"),
        ("OnFailure", (0, 0), "Succeeded"),
        ("OnFailure", (0, 1), "Running"),
        ("Always", (0, 0), "Running"),
    ],
)
def test_the_phase_of_ended_containers_follows_the_policy(
    policy: str, codes: tuple[int, int], expected: str
) -> None:
    made = record(policy, "a", "b")
    for entry, code in zip(made.containers, codes, strict=True):
        entry.running("process://1")
        entry.terminated(code)
    assert phase(made) == expected


def test_init_containers_hold_the_pod_back() -> None:
    made = record("Never", "main", init=("fetch",))
    found = status(made, {})
    assert found["phase"] == "Pending"
    assert condition(found, "Initialized")["status"] == "False"
    assert "fetch" in condition(found, "Initialized")["message"]
    made.init[0].terminated(1)
    assert phase(made) == "Failed"


def test_a_condition_that_stays_keeps_its_transition_time() -> None:
    made = record()
    old = {"type": "Ready", "status": "False", "lastTransitionTime": "2020-01-01T00:00:00Z"}
    kept = condition(status(made, {"conditions": [old]}), "Ready")
    assert kept["lastTransitionTime"] == "2020-01-01T00:00:00Z"
    changed = status(made, {"conditions": [old | {"status": "True"}]})
    assert condition(changed, "Ready")["lastTransitionTime"] != "2020-01-01T00:00:00Z"


def resumed(policy: str, state: dict[str, Any]) -> PodRecord:
    known = pod(container(), restartPolicy=policy)
    known["status"] = {
        "podIP": "127.128.0.9",
        "startTime": "2020-01-01T00:00:00Z",
        "containerStatuses": [{"name": "main", "state": state, "restartCount": 4}],
    }
    return PodRecord.resumed(known)


def test_what_ran_when_the_agent_died_counts_as_a_restart() -> None:
    made = resumed("Always", {"running": {"startedAt": "2020-01-01T00:00:00Z"}})
    entry = made.containers[0]
    assert entry.restart_count == 5
    assert entry.last_state["terminated"]["exitCode"] == 137
    assert "waiting" in entry.state
    assert (made.pod_ip, made.start_time) == ("127.128.0.9", "2020-01-01T00:00:00Z")


def test_what_is_never_restarted_stays_ended() -> None:
    lost = resumed("Never", {"running": {"startedAt": "2020-01-01T00:00:00Z"}})
    lost.initialized = True
    assert phase(lost) == "Failed"
    done = resumed("OnFailure", {"terminated": {"exitCode": 0}})
    done.initialized = True
    assert phase(done) == "Succeeded"
    assert done.containers[0].restart_count == 4
