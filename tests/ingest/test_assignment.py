"""Who is to read which partition: even, and no more moves than there have to be."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from sploot_clusterd.ingest.assignment import assigned

NAMES = st.lists(st.text("abcdef", min_size=1, max_size=3), min_size=1, max_size=12, unique=True)
COUNTS = st.integers(1, 64)


@given(COUNTS, NAMES, st.data())
def test_numbers_differ_by_one_at_most_whoever_had_what(count: int, members: list[str], data):
    owners = data.draw(st.lists(st.sampled_from(["", "gone", *members]), min_size=count, max_size=count))
    plan = assigned(owners, sorted(members))
    held = Counter(dict.fromkeys(members, 0)) + Counter(plan)
    held.update(dict.fromkeys(members, 0))
    assert set(plan) <= set(members)
    assert max(held.values()) - min(held.values()) <= 1


@given(COUNTS, NAMES)
def test_it_is_at_rest_once_it_is_so(count: int, members: list[str]):
    plan = assigned([""] * count, sorted(members))
    assert assigned(plan, sorted(members)) == plan


@given(COUNTS, NAMES)
def test_who_joins_gets_its_share_and_nothing_else_moves(count: int, members: list[str]):
    before = assigned([""] * count, sorted(members))
    after = assigned(before, sorted([*members, "joined"]))
    moved = [new for old, new in zip(before, after, strict=True) if old != new]
    assert set(moved) <= {"joined"}
    assert len(moved) <= -(-count // (len(members) + 1))


@given(COUNTS, NAMES)
@settings(max_examples=50)
def test_only_what_the_one_that_left_had_moves(count: int, members: list[str]):
    left, *rest = sorted(members)
    before = assigned([""] * count, sorted(members))
    after = assigned(before, rest)
    if rest:
        assert all(new == old for old, new in zip(before, after, strict=True) if old != left)
    else:
        assert after == [""] * count
