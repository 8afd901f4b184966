"""Where cells have gone: as a dict would tell it, in arrays."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sploot_clusterd.engine.heirs import Heirs

ids = st.integers(0, 40)
pairs = st.dictionaries(ids, ids)
pack = msgspec.msgpack.encode


def heirs(some):
    """Those of a dict, read as albums once stored them."""
    return Heirs.decode(pack(some))


@given(pairs, ids)
def test_it_is_a_mapping(some, cell_id):
    held = heirs(some)

    assert held == some
    assert list(held) == sorted(some)
    assert (len(held), bool(held)) == (len(some), bool(some))
    assert held.get(cell_id) == some.get(cell_id)


@given(st.dictionaries(st.integers(0, 2**62), st.integers(0, 2**62)) | pairs)
def test_it_is_read_back_as_it_was(some):
    again = Heirs.decode(heirs(some).encode())

    assert again == some
    assert again.encode() == heirs(some).encode()


@pytest.mark.parametrize(("largest", "size"), [(65_535, 2), (65_536, 4), (2**32 - 1, 4), (2**32, 8)])
def test_numbers_take_as_few_bytes_as_the_largest_needs(largest, size):
    some = dict.fromkeys(range(1000), largest)

    assert len(heirs(some).encode()) == pytest.approx(2 * size * 1000, abs=20)
    assert Heirs.decode(heirs(some).encode()) == some


@given(st.lists(st.tuples(st.sets(ids), st.sets(ids)), max_size=6))
def test_what_is_merged_leads_on_to_who_lives(merges):
    """Of each step's cells some are taken in by the lowest one that is left, and some are dropped."""
    living, held, model = set(range(41)), Heirs(), {}
    for taken, dropped in merges:
        living -= dropped
        gone = sorted(taken & living)[1:]
        into = dict.fromkeys(gone, min(taken & living, default=-1))
        living -= set(gone)
        model = {cell: into.get(heir, heir) for cell, heir in model.items()} | into
        model = {cell: heir for cell, heir in model.items() if heir in living}

        held = held.merged(into, living)

        assert held == model
        assert set(held.values()) <= living
        assert Heirs.decode(held.encode()) == model


def record(form, gone, heirs):
    return pack([form, np.array(gone, dtype="<u2").tobytes(), np.array(heirs, dtype="<u2").tobytes()])


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"garbage",
        pack({1: "x"}),
        pack({2**63: 1}),
        pack({-(2**63): 2**64 - 1}),
        record("<u3", [1, 2], [0, 0]),
        record("<u2", [1, 2], [0]),
        record("<u2", [2, 1], [0, 0]),
        record("<u2", [1, 1], [0, 0]),
        record("<u4", [1, 2, 3], [0, 0]),
    ],
)
def test_other_bytes_are_refused(raw):
    with pytest.raises((ValueError, OverflowError)):
        Heirs.decode(raw)
