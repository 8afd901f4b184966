"""When a service in trouble is asked again, by a clock of the test's own."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sploot_clusterd.insights.breaker import FAILURES, Breaker, State
from tests.support.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock)


def ask(breaker: Breaker, *, fails: bool) -> None:
    probe = breaker.admit()
    breaker.failed(probe=probe) if fails else breaker.succeeded(probe=probe)


def open_it(breaker: Breaker) -> None:
    for _ in range(FAILURES):
        ask(breaker, fails=True)
    assert breaker.state is State.OPEN


def test_failures_in_a_row_open_it(breaker):
    for _ in range(FAILURES - 1):
        ask(breaker, fails=True)
    ask(breaker, fails=False)
    for _ in range(FAILURES - 1):
        ask(breaker, fails=True)
    assert breaker.seconds_left() == 0
    ask(breaker, fails=True)
    assert breaker.seconds_left() > 0


def test_failures_now_and_then_do_not(breaker, clock):
    for _ in range(3 * FAILURES):
        ask(breaker, fails=True)
        clock.now += 61
    assert breaker.state is State.CLOSED


def test_a_probe_closes_it(breaker, clock):
    open_it(breaker)
    clock.now += 1.5
    assert breaker.seconds_left() == 0
    assert breaker.admit()
    assert breaker.seconds_left() == math.inf
    breaker.succeeded(probe=True)
    assert breaker.state is State.CLOSED


def test_pauses_stay_short_however_long_it_lasts(breaker, clock):
    open_it(breaker)
    for _ in range(1000):
        assert 0.25 <= breaker.seconds_left() <= 1.5
        clock.now += breaker.seconds_left()
        ask(breaker, fails=True)


def test_late_outcomes_change_nothing(breaker, clock):
    """Of what was asked before it opened."""
    open_it(breaker)
    left = breaker.seconds_left()
    breaker.succeeded(probe=False)
    breaker.failed(probe=False, retry_after=100.0)
    assert (breaker.state, breaker.seconds_left()) == (State.OPEN, left)
    clock.now += left
    breaker.admit()
    breaker.succeeded(probe=False)
    assert breaker.state is State.HALF_OPEN


def test_a_refusal_opens_it_for_a_minute_or_until_it_is_told(breaker):
    breaker.admit()
    breaker.refused()
    assert breaker.seconds_left() == 60
    breaker.look_again()
    assert breaker.seconds_left() == 0
    assert breaker.admit()


def test_retry_after_opens_it_at_once(breaker):
    breaker.failed(probe=breaker.admit(), retry_after=30.0)
    assert breaker.seconds_left() == 30


@given(st.lists(st.sampled_from(["ok", "fail", "refuse", "abandon", "wait", "look"]), max_size=200))
def test_it_never_stays_shut(doings):
    """Whatever came, a minute after the last outcome one request may be made, and its success closes it."""
    clock = Clock()
    breaker = Breaker(clock)
    for doing in doings:
        if doing == "wait":
            clock.now += 1.0
        elif doing == "look":
            breaker.look_again()
        elif breaker.seconds_left() == 0:
            probe = breaker.admit()
            if doing == "refuse":
                breaker.refused()
            elif doing == "abandon":
                breaker.abandoned(probe=probe)
            else:
                breaker.failed(probe=probe) if doing == "fail" else breaker.succeeded(probe=probe)
    clock.now += 60.0
    assert breaker.seconds_left() == 0
    breaker.succeeded(probe=breaker.admit())
    assert breaker.state is State.CLOSED
