"""Probe thresholds, back-off and restart policy."""

import pytest

from local.node_agent.backoff import Backoff, restarts
from local.node_agent.probe_state import ProbeSpec, ProbeState

pytestmark = pytest.mark.unit


def readiness(**spec: object) -> ProbeState:
    made = ProbeSpec.of({"readinessProbe": {"tcpSocket": {"port": 1}, **spec}}, "readiness")
    assert made is not None
    return ProbeState(made)


def outcomes(state: ProbeState, results: str) -> list[bool | None]:
    """The state after each result: `+` success, `-` failure."""
    found = []
    for result in results:
        state.observe(success=result == "+")
        found.append(state.passing)
    return found


def test_defaults_are_those_of_kubernetes() -> None:
    spec = readiness().spec
    assert (spec.initial_delay_seconds, spec.period_seconds, spec.timeout_seconds) == (0, 10, 1)
    assert (spec.success_threshold, spec.failure_threshold) == (1, 3)
    assert ProbeSpec.of({}, "liveness") is None


def test_readiness_is_lost_at_the_failure_threshold_and_regained_at_the_other() -> None:
    state = readiness(successThreshold=2, failureThreshold=3)
    assert outcomes(state, "++") == [None, True]
    assert outcomes(state, "--") == [True, True]
    assert outcomes(state, "-+") == [False, False]
    assert outcomes(state, "+") == [True]


def test_a_success_in_between_starts_the_count_of_failures_anew() -> None:
    assert outcomes(readiness(failureThreshold=2), "+-+-+-") == [True] * 6


def test_until_the_first_success_it_is_asked_often_but_failures_count_once_a_period() -> None:
    state = readiness(periodSeconds=10, failureThreshold=2)
    waited = 0.0
    while state.passing is None:
        assert state.delay() <= 1.0
        waited += state.delay()
        state.observe(success=False)
    assert state.passing is False
    assert 20 <= waited <= 23


def test_after_the_first_success_the_period_rules() -> None:
    state = readiness(periodSeconds=7)
    state.observe(success=True)
    assert state.delay() == 7


def test_a_liveness_probe_never_hurries() -> None:
    spec = ProbeSpec.of({"livenessProbe": {"exec": {"command": ["x"]}}}, "liveness")
    assert spec is not None
    state = ProbeState(spec)
    assert state.delay() == 10
    assert outcomes(state, "---") == [None, None, False]


def test_observe_says_when_something_was_decided() -> None:
    state = readiness(failureThreshold=1)
    assert state.observe(success=True)
    assert not state.observe(success=True)
    assert state.observe(success=False)


def test_a_crash_loop_waits_twice_as_long_each_time_up_to_the_limit() -> None:
    backoff = Backoff(base_seconds=10, limit_seconds=300)
    assert [backoff.after(1) for _ in range(8)] == [0, 10, 20, 40, 80, 160, 300, 300]


def test_a_long_run_makes_the_back_off_forget() -> None:
    backoff = Backoff(base_seconds=10)
    assert [backoff.after(1), backoff.after(1), backoff.after(601)] == [0, 10, 0]


@pytest.mark.parametrize(
    ("policy", "code", "again"),
    [
        ("Always", 0, True),
        ("Always", 1, True),
        ("OnFailure", 0, False),
        ("OnFailure", 3, True),
        ("Never", 1, False),
    ],
)
def test_the_restart_policy_decides(policy: str, code: int, *, again: bool) -> None:
    assert restarts(policy, code) is again
