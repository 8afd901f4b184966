"""How an event stands to what is written: each case by itself."""

import pytest

from sploot_clusterd.history.branching import Newest, Standing, Verdict, Written, at_first_sight, judged, superseded
from sploot_clusterd.history.due_pets import DuePets, Pace
from sploot_clusterd.history.told import Place, Told, version_of

CHAIN = [Written(f"n{n}.{n}", f"n{n - 1}.{n - 1}" if n > 1 else "", n) for n in range(1, 6)]
NEWEST = Newest("life", 5, "n5.5")


def event(before: str, after: str, incarnation: str = "life") -> Told:
    return Told(0, Place("9-9", 9), 9, "changed", "pet", incarnation, before, after, version_of(after))


@pytest.mark.parametrize(
    ("newest", "told", "standing"),
    [
        (None, event("", "a.1"), Standing.NEXT),
        (None, event("a.1", "b.2"), Standing.JUMP),
        (NEWEST, event("n5.5", "n6.6"), Standing.NEXT),
        (NEWEST, event("n4.4", "n5.5"), Standing.REPEATED),
        (NEWEST, event("n4.4", "x.5"), None),
        (NEWEST, event("n5.5", "n6.6", "another"), None),
    ],
)
def test_most_events_stand_as_they_look(newest: Newest | None, told: Told, standing: Standing | None):
    assert at_first_sight(told, newest) is standing


@pytest.mark.parametrize(
    ("told", "verdict"),
    [
        (event("n2.2", "n3.3"), Verdict(Standing.REPEATED)),
        (event("n3.3", "x.4"), Verdict(Standing.BRANCH, ["n4.4", "n5.5"], 3)),
        (event("y.3", "x.4"), Verdict(Standing.BRANCH, ["n4.4", "n5.5"], 3)),
        (event("y.8", "x.9"), Verdict(Standing.JUMP)),
        (event("", "x.1", "another"), Verdict(Standing.NEW_LIFE)),
    ],
)
def test_others_by_what_is_written(told: Told, verdict: Verdict):
    assert judged(told, NEWEST, CHAIN, is_older=False) == verdict


def test_what_another_partition_told_before_comes_late():
    written = [CHAIN[0], CHAIN[2]]
    late = event("n1.1", "n2.2")
    assert judged(late, Newest("life", 3, "n3.3"), written, is_older=True).standing is Standing.LATE
    assert judged(event("", "o.7", "old"), NEWEST, [], is_older=True).standing is Standing.LATE


def test_a_life_gets_its_name_later():
    unnamed = Newest("", 5, "n5.5")
    told = event("n5.5", "n6.6")
    assert at_first_sight(told, unnamed) is None
    assert judged(told, unnamed, [], is_older=False).standing is Standing.NAMED


def test_jobs_that_said_nothing_have_the_version_before_them():
    written = [*CHAIN[:3], Written("m3.3", "n3.3", 3), Written("k3.3", "m3.3", 3)]
    assert superseded("n3.3", 3, written) == ["m3.3", "k3.3"]
    assert superseded("k3.3", 3, written) == []
    assert superseded("unknown.3", 3, written) == ["n3.3", "m3.3", "k3.3"]


def test_a_pet_is_read_after_a_while_and_then_now_and_then():
    due = DuePets(Pace(delay=2.0, every=5.0))
    due.add(["hot", "calm"], 0.0)
    due.add(["hot"], 1.0)
    assert due.take(1.9, 9) == []
    assert due.take(2.0, 9) == ["calm", "hot"]
    due.add(["hot"], 2.1)
    assert due.take(6.9, 9) == []
    assert due.take(7.0, 9) == ["hot"]
    assert len(due) == 0


def test_of_many_those_that_wait_longest_come_first_and_the_erased_never():
    due = DuePets(Pace(delay=1.0))
    for number in range(10):
        due.add([f"pet-{number}"], number / 10)
    due.discard(["pet-0", "pet-3"])
    assert due.take(9.0, 4) == ["pet-1", "pet-2", "pet-4", "pet-5"]
    due.add(["pet-0"], 9.0, 60.0)
    assert "pet-0" not in due.take(60.0, 99)
    assert due.take(69.0, 99) == ["pet-0"]
