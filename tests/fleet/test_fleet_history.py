"""From heartbeats to rates: laws of the history, with times of its own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sploot_clusterd.fleet.history import History, percentile
from sploot_clusterd.troubles import Troubles
from tests.fleet.beats import beat

BOUNDS = (0.01, 0.1, 1.0)


def history() -> History:
    return History(BOUNDS, BOUNDS)


def test_a_point_is_what_was_done_since_the_look_before():
    seen = history()
    seen.add([beat(100.0, 1000, failed=7)], 100.0)
    assert seen.points("15m") == [], "what was done before is of no known time"
    seen.add([beat(105.0, 1050, failed=8, backlog=3, oldest_s=1.5)], 105.0)
    (point,) = seen.points("15m")
    assert (point.at, point.done_s, point.failed_s, point.dead_s) == (105.0, 10.0, 0.2, 0.0)
    assert (point.backlog, point.oldest_s) == (3, 1.5)
    assert point.p50_ms == pytest.approx(5.0)
    assert seen.processes[0].done_s == 10.0


def test_processes_are_added_up_and_one_that_began_anew_counts_from_nothing():
    seen = history()
    seen.add([beat(100.0, 500), beat(100.0, 90, "b-0")], 100.0)
    seen.add([beat(105.0, 10, since=101.0), beat(105.0, 100, "b-0"), beat(105.0, 5, "new-0", since=103.0)], 105.0)
    assert seen.points("15m")[0].done_s == (10 + 10 + 5) / 5
    assert [each.process for each in seen.processes] == ["a-0", "b-0", "new-0"]


def test_one_that_was_silent_for_a_while_makes_no_peak():
    seen = history()
    seen.add([beat(100.0, 0), beat(100.0, 0, "b-0")], 100.0)
    seen.add([beat(105.0, 0)], 105.0)
    seen.add([beat(110.0, 0), beat(110.0, 9999, "b-0")], 110.0)
    assert [each.done_s for each in seen.points("15m")] == [0.0, 0.0]


def test_who_has_told_nothing_new_keeps_its_figures():
    seen = history()
    seen.add([beat(100.0, 0)], 100.0)
    seen.add([beat(105.0, 50)], 105.0)
    seen.add([beat(105.0, 50)], 110.0)
    assert seen.processes[0].done_s == 10.0
    assert [each.done_s for each in seen.points("15m")] == [10.0, 0.0]


def test_the_fine_ring_holds_fifteen_minutes_and_the_coarse_one_eight_hours():
    seen = history()
    for n in range(8 * 720 + 100):
        seen.add([beat(5.0 * n, n)], 5.0 * n)
    fine, hour, coarse = seen.points("15m"), seen.points("1h"), seen.points("8h")
    assert (len(fine), fine[-1].at - fine[0].at) == (180, 895.0)
    assert (len(coarse), coarse[1].at - coarse[0].at) == (480, 55.0), "looks are never quite on time: 54 s will do"
    assert (len(hour), hour[-1].at - hour[0].at) == (180, 3580.0)
    assert {round(each.done_s, 6) for each in (*fine, *hour, *coarse)} == {0.2}


def test_what_came_in_is_what_left_and_what_the_backlog_grew_by():
    seen = history()
    seen.add([beat(100.0, settled=1000, backlog=50)], 100.0)
    seen.add([beat(105.0, settled=1010, backlog=90, wants=3)], 105.0)
    seen.add([beat(110.0, settled=1040, backlog=60, wants=2)], 110.0)
    seen.add([beat(115.0, settled=1040, backlog=0)], 115.0)
    assert [each.in_s for each in seen.points("15m")] == [10.0, 0.0, 0.0], "a stream that was emptied is no inflow"
    assert [each.wants for each in seen.points("15m")] == [3, 2, 0]


def test_starts_and_generations_are_marked_once():
    seen = history()
    seen.add([beat(100.0, generation=2), beat(100.0, process="b-0", since=90.0)], 100.0)
    assert [(mark.process, mark.at, mark.version) for mark in seen.marks] == [("a-0", 0.0, "1"), ("b-0", 90.0, "1")]
    seen.add([beat(105.0, generation=3)], 105.0)
    seen.add([beat(110.0, generation=0, since=108.0), beat(110.0, process="b-0", since=90.0)], 110.0)
    seen.add([beat(115.0, generation=3, since=108.0)], 115.0)
    assert [(mark.process, mark.generation, mark.at) for mark in list(seen.marks)[2:]] == [
        (None, 3, 105.0),
        ("a-0", None, 108.0),
    ]
    for n in range(200):
        seen.add([beat(200.0 + n, since=190.0 + n)], 200.0 + n)
    assert len(seen.marks) == 50


def test_causes_of_failures_are_few_counted_and_forgotten():
    troubles = Troubles()
    for n in range(9):
        troubles.add(f"cause {n}", 100.0 + n)
    troubles.add("cause 5", 200.0)
    troubles.add("x" * 1000, 300.0)
    latest = troubles.latest(3750.0)
    assert [(each.error, each.runs) for each in latest] == [("x" * 200, 1), ("cause 5", 2)], "others are an hour old"
    assert len(troubles.latest(300.0)) == 5


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
