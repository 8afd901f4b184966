"""An image's row is a function of the set of events, whatever their order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sploot_clusterd.engine.rows import (
    EMPTY,
    Attributes,
    Listed,
    Vectors,
    decode_row,
    encode_row,
    remove,
    take_attributes,
    take_listed,
    take_pin,
    take_vectors,
)
from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.errors import BadStateError

sequences = st.builds(EntryId, st.just(1_700_000_000_000), st.integers(0, 6))
TAKE = {
    "listed": take_listed,
    "attributes": take_attributes,
    "vectors": take_vectors,
    "removed": remove,
    "pinned": take_pin,
}


def event(kind, at):
    """What a job at this sequence says; a sequence has one job, so the same one says the same."""
    return {
        "listed": Listed(at, at.seq / 10),
        "attributes": Attributes(at, at.seq / 10, f"label-{at.seq}", at.seq),
        "vectors": Vectors(at, 0, 0, bytes([at.seq, 1]), -1),
        "removed": at,
        "pinned": (*at, 0),
    }[kind]


events = st.lists(st.builds(lambda kind, at: (kind, at), st.sampled_from(sorted(TAKE)), sequences), max_size=12)


def folded(history):
    row = EMPTY
    for kind, at in history:
        row = TAKE[kind](row, event(kind, at))
    return row


@given(events, st.randoms(use_true_random=False))
def test_the_order_of_events_makes_no_difference(history, random):
    shuffled = list(history)
    random.shuffle(shuffled)

    assert folded(shuffled) == folded(history)


@given(events)
def test_events_seen_twice_make_no_difference(history):
    assert folded(history + history) == folded(history)


@given(events)
def test_a_row_survives_its_encoding(history):
    row = folded(history)

    assert decode_row(encode_row(row)) == row


@given(events)
def test_an_image_exists_if_anything_newer_than_its_removal_was_said(history):
    removed = max((at for kind, at in history if kind == "removed"), default=None)
    said = [at for kind, at in history if kind not in {"removed", "pinned"} and (removed is None or at >= removed)]

    assert folded(history).exists == bool(said)


def test_its_own_quality_comes_before_that_of_the_job_which_listed_it():
    row = take_listed(EMPTY, Listed(EntryId(1, 0), 0.3))
    assert row.quality == 0.3
    row = take_attributes(row, Attributes(EntryId(1, 0), 0.8, None, None))
    assert row.quality == 0.8


def test_a_photo_without_a_time_is_as_old_as_its_vectors():
    row = take_vectors(EMPTY, Vectors(EntryId(55, 0), 0, 0, b"", 1))
    assert row.taken_ms == 55
    assert take_attributes(row, Attributes(EntryId(56, 0), None, None, 7)).taken_ms == 7


def test_no_photo_is_taken_after_its_insight_came():
    row = take_attributes(EMPTY, Attributes(EntryId(56, 3), None, None, 253_402_300_799_000))

    assert row.taken_ms == 56
    assert row.attributes.captured_ms == 253_402_300_799_000


def test_the_same_vector_again_leaves_the_image_in_its_cell():
    row = take_vectors(EMPTY, Vectors(EntryId(1, 0), 0, 3, b"ab", 9))

    again = take_vectors(row, Vectors(EntryId(2, 0), 0, 3, b"ab", -1))
    other = take_vectors(row, Vectors(EntryId(2, 0), 0, 3, b"ba", -1))

    assert again.vectors.cell == 9
    assert other.vectors.cell == -1


@pytest.mark.parametrize("raw", [b"", b"\xc1", b"\x94\x01\x02\x03\x04", b"\x80", b"not msgpack at all"])
def test_an_unreadable_row_is_bad_state(raw):
    with pytest.raises(BadStateError, match="row cannot be read"):
        decode_row(raw)


def test_nothing_stored_is_an_empty_row():
    assert decode_row(None) == EMPTY
    assert not EMPTY.exists
