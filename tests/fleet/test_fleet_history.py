"""From heartbeats to rates: laws of the history, with times of its own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sploot_clusterd.fleet.beat import Beat
from sploot_clusterd.fleet.history import History, percentile

BOUNDS = (0.01, 0.1, 1.0)


def beat(at: float, done: int = 0, process: str = "a-0", since: float = 0.0, **more: object) -> Beat:
    latencies = [done, 0, 0, 0]
    given = {"failed": 0, "dead": 0, "backlog": 0, "oldest_s": 0.0, "latencies": latencies, "lags": [0, 0, 0, 0]}
    return Beat(
        at=at, process=process, version="1", since=since, consumers=1, reasons=[], warnings=[], done=done, restarts=0,
        **{**given, **more},  # type: ignore[arg-type]
    )  # fmt: skip


def history() -> History:
    return History(BOUNDS, BOUNDS)


def test_a_point_is_what_was_done_since_the_look_before():
    seen = history()
    seen.add([beat(100.0, 1000, failed=7)], 100.0)
    assert seen.points(fine=True) == [], "what was done before is of no known time"
    seen.add([beat(105.0, 1050, failed=8, backlog=3, oldest_s=1.5)], 105.0)
    (point,) = seen.points(fine=True)
    assert (point.at, point.done_s, point.failed_s, point.dead_s) == (105.0, 10.0, 0.2, 0.0)
    assert (point.backlog, point.oldest_s) == (3, 1.5)
    assert point.p50_ms == pytest.approx(5.0)
    assert seen.processes[0].done_s == 10.0


def test_processes_are_added_up_and_one_that_began_anew_counts_from_nothing():
    seen = history()
    seen.add([beat(100.0, 500), beat(100.0, 90, "b-0")], 100.0)
    seen.add([beat(105.0, 10, since=101.0), beat(105.0, 100, "b-0"), beat(105.0, 5, "new-0", since=103.0)], 105.0)
    assert seen.points(fine=True)[0].done_s == (10 + 10 + 5) / 5
    assert [each.process for each in seen.processes] == ["a-0", "b-0", "new-0"]


def test_one_that_was_silent_for_a_while_makes_no_peak():
    seen = history()
    seen.add([beat(100.0, 0), beat(100.0, 0, "b-0")], 100.0)
    seen.add([beat(105.0, 0)], 105.0)
    seen.add([beat(110.0, 0), beat(110.0, 9999, "b-0")], 110.0)
    assert [each.done_s for each in seen.points(fine=True)] == [0.0, 0.0]


def test_who_has_told_nothing_new_keeps_its_figures():
    seen = history()
    seen.add([beat(100.0, 0)], 100.0)
    seen.add([beat(105.0, 50)], 105.0)
    seen.add([beat(105.0, 50)], 110.0)
    assert seen.processes[0].done_s == 10.0
    assert [each.done_s for each in seen.points(fine=True)] == [10.0, 0.0]


def test_the_fine_ring_holds_fifteen_minutes_and_the_coarse_one_eight_hours():
    seen = history()
    for n in range(8 * 720 + 100):
        seen.add([beat(5.0 * n, n)], 5.0 * n)
    fine, coarse = seen.points(fine=True), seen.points(fine=False)
    assert (len(fine), fine[-1].at - fine[0].at) == (180, 895.0)
    assert (len(coarse), coarse[1].at - coarse[0].at) == (480, 55.0), "looks are never quite on time: 54 s will do"
    assert {round(each.done_s, 6) for each in (*fine, *coarse)} == {0.2}


@given(st.lists(st.integers(0, 50), min_size=4, max_size=4), st.floats(0.01, 1.0), st.floats(0.01, 1.0))
def test_percentiles_grow_and_stay_within_the_bounds(counts: list[int], some: float, other: float):
    low, high = sorted((some, other))
    one, two = percentile(counts, BOUNDS, low), percentile(counts, BOUNDS, high)
    if not sum(counts):
        assert (one, two) == (None, None)
        return
    assert one is not None
    assert two is not None
    assert 0.0 <= one <= two <= 1000.0
