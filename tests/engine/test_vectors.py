"""One unit vector from the kinds of an insight."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from sploot_clusterd.engine.params import KindWeights
from sploot_clusterd.engine.vectors import combine, extend_layout, image_weight, restore
from sploot_clusterd.errors import BadJobError, BadStateError

WEIGHTS = KindWeights(embedding=1.0, pose=0.5, context=0.5)
LAYOUT = (("embedding", 3), ("pose", 2))


def floats(*values):
    return np.array(values, dtype=np.float32)


@given(npst.arrays(np.float32, 5, elements=st.floats(allow_nan=False, allow_infinity=False, width=32)))
def test_a_vector_of_any_size_comes_out_at_length_one(values):
    assume(values.any())
    vector = restore(combine({"embedding": values}, (("embedding", 5),), WEIGHTS), 5)

    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=2e-3)
    assert vector @ values.astype(float) > 0


def test_kinds_count_by_their_weights_whatever_their_scale():
    data = combine({"embedding": floats(300, 0, 0), "pose": floats(0, 0.001)}, LAYOUT, WEIGHTS)

    vector = restore(data, 5)

    assert vector == pytest.approx([0.894, 0, 0, 0, 0.447], abs=1e-3)


def test_a_missing_kind_is_zeros():
    assert restore(combine({"pose": floats(0, 2)}, LAYOUT, WEIGHTS), 5).tolist() == [0, 0, 0, 0, 1]


def test_a_kind_that_came_to_the_space_later_is_zeros_in_older_vectors():
    data = combine({"embedding": floats(0, 1, 0)}, LAYOUT[:1], WEIGHTS)

    assert restore(data, 5).tolist() == [0, 1, 0, 0, 0]


def test_only_vectors_of_weightless_kinds_have_no_direction():
    with pytest.raises(BadJobError, match="no direction") as error:
        combine({"pose": floats(1, 1)}, LAYOUT, KindWeights(pose=0.0))
    assert error.value.reason == "invalid"


def test_a_layout_grows_at_its_end():
    layout = extend_layout((("pose", 2),), {"pose": floats(1, 2), "embedding": floats(1, 2, 3)}, "m")

    assert layout == (("pose", 2), ("embedding", 3))


def test_a_length_that_contradicts_is_named():
    with pytest.raises(BadJobError, match=r"pose: 3 values where model version 'm' has 2") as error:
        extend_layout(LAYOUT, {"pose": floats(1, 2, 3)}, "m")
    assert error.value.reason == "dimension"


@pytest.mark.parametrize("data", [b"abc", b"\0" * 12, np.array([np.nan] * 5, "<f2").tobytes()])
def test_an_unreadable_vector_is_bad_state(data):
    with pytest.raises(BadStateError):
        restore(data, 5)


def test_a_blurred_photo_weighs_little():
    assert image_weight(0.2) == pytest.approx(0.2, abs=0.01)
    assert image_weight(0.9) == pytest.approx(1.0, abs=0.01)
    assert image_weight(None) == 1.0
