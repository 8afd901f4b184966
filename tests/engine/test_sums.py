"""A cell's vector sum takes as few bytes as give back the very numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from sploot_clusterd.engine.sums import pack, stacked, unpack, whole
from sploot_clusterd.engine.vector_format import VectorFormat
from tests.engine.fleets import profile, vectors

weights = st.floats(0.2, 1.0)


@given(npst.arrays(np.float32, st.integers(0, 12), elements=st.floats(-1, 1, width=32)), weights)
def test_every_form_gives_back_the_very_numbers(sums, weight):
    form, raw = pack(sums, weight)

    (again,) = unpack(raw, np.array([weight]), form)

    assert again.dtype == np.float32
    assert again.tobytes() == sums.tobytes()
    assert len(raw) <= 4 * len(sums)
    assert unpack(whole(sums)[1], np.array([weight]), "f4").tobytes() == sums.tobytes()


@given(npst.arrays(np.float16, 8, elements=st.floats(-1, 1, width=16)).filter(np.any), weights)
def test_a_whole_vector_of_one_image_takes_two_bytes_a_value_at_most(values, weight):
    form, raw = pack(np.float32(weight) * values.astype(np.float32), weight)

    assert form in {"i1", "f2"}
    assert len(raw) <= 16


halves = st.integers(7, 9).flatmap(lambda size: npst.arrays(np.float16, size, elements=st.floats(-1, 1, width=16)))


@given(halves, weights, halves)
def test_a_vector_at_hand_makes_no_difference(values, weight, others):
    sums = np.float32(weight) * values.astype(np.float32)

    for stored in (values, others):
        assert pack(sums, weight, stored.astype("<f2").tobytes()) == pack(sums, weight)


@given(st.integers(0, 30), weights)
def test_a_reduced_vector_of_one_image_takes_a_byte_a_value(seed, weight):
    vector = ENCODING.compared(ENCODING.keep(vectors(1, 32, seed)[0].astype("<f2").tobytes()))

    form, raw = pack(np.float32(weight) * vector, weight)

    assert (form, len(raw)) == ("i1", ENCODING.dimension)


ENCODING = VectorFormat((("embedding", 32),), profile(settled=True, embedding=32))


def test_sums_of_several_images_take_four():
    rows = vectors(2, 32).astype(np.float16).astype(np.float32)

    assert pack(rows[0] + rows[1], 2.0)[0] == "f4"


def test_a_sum_of_nothing_but_zeros_is_kept():
    form, raw = pack(np.zeros(5, dtype=np.float32), 0.7)

    assert unpack(raw, np.array([0.7]), form).tolist() == [[0, 0, 0, 0, 0]]


@pytest.mark.parametrize("make", [vectors, lambda count, dimension: np.sign(vectors(count, dimension))])
def test_many_cells_are_read_as_each_by_itself(make):
    weights = np.array([0.2, 0.7, 1.0])
    values = make(3, 32).astype(np.float16).astype(np.float32)
    packed = [pack(np.float32(weight) * value, weight) for weight, value in zip(weights, values, strict=True)]
    (form,) = {form for form, _ in packed}

    together = unpack(b"".join(raw for _, raw in packed), weights, form)

    for weight, (_, raw), cell in zip(weights, packed, together, strict=True):
        assert cell.tobytes() == unpack(raw, np.array([weight]), form).tobytes()


@given(weights)
def test_all_values_of_two_bytes_are_read_as_numpy_reads_them(weight):
    halves = np.arange(1 << 16, dtype="<u2").view("<f2")
    finite = halves[np.isfinite(halves)]

    (read,) = unpack(finite.tobytes(), np.array([weight]), "f2")

    assert read.tobytes() == (np.float32(weight) * finite.astype(np.float32)).tobytes()


@given(st.integers(0, 4), st.integers(0x7C00, 0x7FFF) | st.integers(0xFC00, 0xFFFF))
def test_values_that_are_not_finite_are_a_value_error(at, bits):
    halves = np.zeros(5, dtype="<u2")
    halves[at] = bits
    for form, raw in (("f2", halves.tobytes()), ("f4", halves.view("<f2").astype("<f4").tobytes())):
        with pytest.raises(ValueError, match="not finite"):
            unpack(raw, np.ones(1), form)


@pytest.mark.parametrize(("form", "weight"), [("i1", np.inf), ("f2", np.nan), ("f2", 1e30)])
def test_weights_that_make_sums_not_finite_are_a_value_error(form, weight):
    with pytest.raises(ValueError, match="not finite"), np.errstate(over="ignore"):
        unpack(b"\1\1", np.array([weight]), form)


@given(st.lists(st.tuples(st.integers(0, 12), st.booleans(), weights), max_size=150))
def test_cells_of_any_form_and_length_are_stacked_as_each_is_read(cells):
    packed, each = [], []
    for at, (length, alone, weight) in enumerate(cells):
        sums = np.float32(weight) * vectors(1, 12, at % 5)[0][:length].astype(np.float16).astype(np.float32)
        form, raw = pack(sums, weight) if alone else whole(sums)
        packed.append((form, memoryview(raw)))
        each.append(np.pad(sums, (0, 12 - length)))

    rows = stacked(packed, np.array([weight for *_, weight in cells]), 12)

    assert (rows.shape, rows.dtype) == ((len(cells), 12), np.float32)
    assert all(row.tobytes() == sums.tobytes() for row, sums in zip(rows, each, strict=True))


@pytest.mark.parametrize(("form", "size"), [("i1", 5), ("f2", 3), ("f2", 10), ("f4", 6), ("f4", 20)])
def test_cells_of_too_many_bytes_or_of_no_whole_values_are_not_stacked(form, size):
    with pytest.raises(ValueError, match=f"{size} bytes in a space of 4"):
        stacked([("f4", memoryview(b"")), (form, memoryview(bytes(size)))], np.ones(2), 4)


@pytest.mark.parametrize(("form", "size"), [("f2", 3), ("f4", 6)])
def test_bytes_that_are_no_whole_values_are_a_value_error(form, size):
    with pytest.raises(ValueError, match="multiple"):
        unpack(b"\0" * size, np.ones(1), form)
