"""What follows a failure: another try or a dead letter, a pause, a line in the log."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sploot_clusterd.errors import BadJobError, BadStateError, StoreUnavailableError
from sploot_clusterd.ingest.retry import OutageLog, SetAside, TryAgain, after_failure, conflict_pause


def test_what_can_never_work_is_set_aside_at_once():
    assert after_failure(BadJobError("dimension", "d"), 0, 5) == SetAside("dimension")
    assert after_failure(BadStateError("b"), 0, 5) == SetAside("bad_state")


def test_anything_else_gets_max_attempts_runs():
    decisions = [after_failure(OSError(), attempts, 3) for attempts in range(3)]
    assert [type(d) for d in decisions] == [TryAgain, TryAgain, SetAside]
    assert [d.attempts for d in decisions[:2]] == [1, 2]
    assert decisions[2] == SetAside("max_attempts")


def test_the_first_try_again_is_after_a_second_and_later_ones_after_a_minute():
    for attempts, ceiling in ((0, 1000), (1, 2000), (5, 32_000), (6, 60_000), (500, 60_000)):
        decision = after_failure(OSError(), attempts, 1000)
        assert isinstance(decision, TryAgain)
        assert ceiling / 2 <= decision.delay_ms <= ceiling


@given(tries=st.integers(0, 3), seconds=st.floats(0, 60))
def test_rivals_part_within_twice_of_what_they_compute(tries: int, seconds: float):
    assert 0 <= conflict_pause(tries, seconds) <= min(max(0.016, 2 * seconds), 0.1)


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, str | None]]:
    return [(record.levelname, record.getMessage(), record.data.get("error")) for record in caplog.records]


def test_an_outage_is_told_once_for_each_reason_and_once_when_it_is_over(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    outage = OutageLog("consumer waits for redis", consumer="me-0")

    outage.available()
    for _ in range(100):
        outage.unavailable(StoreUnavailableError("it is gone"))
    for _ in range(100):
        outage.unavailable(StoreUnavailableError("it is loading"))
    outage.available()
    outage.available()
    outage.unavailable(StoreUnavailableError("it is gone"))

    assert lines(caplog) == [
        ("WARNING", "consumer waits for redis", "it is gone"),
        ("WARNING", "consumer waits for redis", "it is loading"),
        ("INFO", "redis is back", None),
        ("WARNING", "consumer waits for redis", "it is gone"),
    ]
    assert {record.data["consumer"] for record in caplog.records} == {"me-0"}
