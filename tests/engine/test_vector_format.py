"""How images are stored and compared: whole, by a profile that still grows, and by a settled one."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from sploot_clusterd.engine.params import KindWeights
from sploot_clusterd.engine.vector_format import VectorFormat
from sploot_clusterd.errors import BadJobError, BadStateError
from tests.engine.fleets import MODEL, profile, vectors

WEIGHTS = KindWeights(embedding=1.0, pose=0.5, context=0.5)
LENGTHS = {"embedding": 24, "pose": 6}
LAYOUT = tuple(LENGTHS.items())
GROWING = profile(1, **LENGTHS)
SETTLED = replace(GROWING, settled=True)
FORMATS = [VectorFormat(LAYOUT), VectorFormat(LAYOUT, GROWING), VectorFormat(LAYOUT, SETTLED)]
formats = st.sampled_from(FORMATS)
finite = st.floats(allow_nan=False, allow_infinity=False, width=32)
anything = st.fixed_dictionaries(
    {}, optional={kind: npst.arrays(np.float32, length, elements=finite) for kind, length in LAYOUT}
).filter(lambda vectors: vectors and all(map(np.any, vectors.values())))


def image(seed=0, **lengths):
    return {kind: vectors(1, length, seed + 100)[0] for kind, length in (lengths or LENGTHS).items()}


def stored(form, seed=0):
    return form.pack(image(seed), WEIGHTS)


@given(formats, anything)
@settings(max_examples=100, deadline=None)
def test_what_is_compared_is_of_length_one_whatever_came(form, vectors):
    vector = form.compared(form.pack(vectors, WEIGHTS))

    assert vector.shape == (form.dimension,)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1, abs=2e-3)


@given(formats, anything)
@settings(max_examples=50, deadline=None)
def test_it_hardly_matters_whether_a_vector_was_stored_and_restored_once_more(form, vectors):
    data = form.pack(vectors, WEIGHTS)
    again = form.keep(form.whole(data))

    assert form.compared(again) @ form.compared(data) > 0.99


def test_without_a_profile_and_while_it_grows_vectors_are_stored_whole():
    plain, growing, settled = (stored(form) for form in FORMATS)

    assert plain == growing
    assert len(plain) == 2 * 30
    assert len(settled) == 4 + FORMATS[2].dimension == 4 + 24 + 6


@pytest.mark.parametrize("seed", range(5))
def test_a_settled_profile_compares_as_it_did_while_it_grew(seed):
    _, growing, settled = FORMATS

    cosine = growing.compared(stored(growing, seed)) @ settled.compared(stored(settled, seed))

    assert cosine > 0.999


@pytest.mark.parametrize("form", FORMATS)
def test_kinds_keep_their_weight_and_a_missing_one_is_zeros(form):
    both = form.compared(stored(form))
    alone = form.compared(form.pack({"pose": image()["pose"]}, WEIGHTS))
    split = 24 if form.profile is None else form.profile.kinds["embedding"].dimension

    assert np.linalg.norm(both[:split]) == pytest.approx(1 / 1.25**0.5, abs=0.01)
    assert np.linalg.norm(both[split:]) == pytest.approx(0.5 / 1.25**0.5, abs=0.01)
    assert not alone[:split].any()
    assert np.linalg.norm(alone) == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize("known", [None, profile(embedding=24), replace(profile(embedding=24), settled=True)])
def test_a_kind_that_comes_later_is_zeros_in_older_vectors(known):
    narrow = VectorFormat((("embedding", 24),), known)
    older = narrow.pack(image(embedding=24), WEIGHTS)

    wide = narrow.with_kinds(image(), MODEL)

    assert wide.layout == LAYOUT
    assert wide.dimension == narrow.dimension + 6, "a kind that the profile does not know stays as it is"
    assert wide.compared(older)[:-6] == pytest.approx(narrow.compared(older), abs=1e-6)
    assert not wide.compared(older)[-6:].any()
    assert wide.with_kinds(image(), MODEL) is wide


@pytest.mark.parametrize(("length", "nearness"), [(24, 0.999), (150, 0.999), (200, 0.99), (600, 0.9)])
def test_a_reduced_vector_is_nearly_told_whole_again(length, nearness):
    """Nearly all of it where there are as many axes as values; of 600 values 192 axes hold what differs most."""
    form = VectorFormat(
        (("embedding", length), ("pose", 6)), profile(settled=True, count=2000, embedding=length, pose=6)
    )
    for seed in range(5):
        vectors = image(seed, embedding=length, pose=6)
        plain = VectorFormat(form.layout)
        whole = plain.compared(plain.pack(vectors, WEIGHTS))
        again = plain.compared(form.whole(form.pack(vectors, WEIGHTS)))

        assert np.linalg.norm(again) == pytest.approx(1, abs=2e-3)
        assert again @ whole > nearness


@pytest.mark.parametrize("known", [None, GROWING, SETTLED])
def test_a_wrong_length_is_refused_at_the_door(known):
    form = VectorFormat(LAYOUT, known)

    with pytest.raises(BadJobError, match=r"pose: 7 values where model version 'm@1' has 6") as error:
        form.with_kinds({"pose": np.ones(7, np.float32)}, MODEL)
    assert error.value.reason == "dimension"


def test_a_kind_of_another_length_than_the_profiles_is_compared_as_it_is():
    other = VectorFormat((), GROWING).with_kinds({"embedding": np.ones(25, np.float32)}, MODEL)
    assert (other.layout, other.dimension) == ((("embedding", 25),), 25)
    stored = other.pack({"embedding": np.arange(25, dtype=np.float32)}, KindWeights())
    whole = np.frombuffer(stored, "<f2").astype(np.float32)
    np.testing.assert_allclose(other.compared(stored), whole / np.linalg.norm(whole), rtol=1e-3)


@pytest.mark.parametrize(
    ("form", "data"),
    [
        (FORMATS[0], b"\0" * 59),
        (FORMATS[0], b"\0" * 62),
        (FORMATS[0], b"\0\x7e" * 30),
        (FORMATS[1], b"\0" * 62),
        (FORMATS[1], b"\0\x7c" * 30),
        (FORMATS[2], b""),
        (FORMATS[2], b"\0" * 3),
        (FORMATS[2], b"\0" * 35),
        (FORMATS[2], b"\0" * 60),
    ],
)
def test_a_stored_vector_of_a_wrong_length_or_without_a_value_is_bad_state(form, data):
    with pytest.raises(BadStateError):
        form.compared(data)
    with pytest.raises(BadStateError):
        VectorFormat(LAYOUT, replace(SETTLED, generation=2)).keep(form.whole(data))


@given(formats, st.binary(max_size=70))
@settings(max_examples=200)
def test_any_stored_bytes_are_a_vector_or_bad_state(form, data):
    try:
        vector = form.compared(data)
    except BadStateError:
        return
    assert np.isfinite(vector).all()
    assert np.isfinite(form.compared(form.keep(form.whole(data)))).all()


@pytest.mark.parametrize("form", FORMATS)
def test_a_vector_that_is_all_zeros_stays_so(form):
    zeros = np.zeros(30, "<f2").tobytes()

    data = form.keep(zeros)

    assert not form.compared(data).any()
    assert form.whole(data) == zeros


@pytest.mark.parametrize("form", FORMATS)
def test_the_fleets_mean_itself_is_compared_without_a_fault(form):
    mean = GROWING.kinds["embedding"].mean

    vector = form.compared(form.pack({"embedding": mean}, WEIGHTS))

    assert np.isfinite(vector).all()
    assert np.linalg.norm(vector) == pytest.approx(1, abs=2e-3) or not vector.any()


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("scale", [1e-38, 1e-8, 1e5, 1e38])
def test_values_beyond_16_bits_lose_nothing_but_their_scale(form, scale):
    vectors = image()
    scaled = {kind: values / np.abs(values).max() * np.float32(scale) for kind, values in vectors.items()}

    assert form.compared(form.pack(scaled, WEIGHTS)) @ form.compared(stored(form)) > 0.999


def test_an_image_without_a_direction_is_refused():
    for form in FORMATS:
        with pytest.raises(BadJobError, match="no direction"):
            form.pack({"pose": image()["pose"]}, replace(WEIGHTS, pose=0.0))


def test_what_profiles_have_in_common_is_taken_out():
    """Images of a fleet are alike as they come, and not by its profile."""
    plain, growing, settled = (np.array([form.compared(stored(form, seed)) for seed in range(40)]) for form in FORMATS)

    means = [np.mean((rows @ rows.T)[np.triu_indices(40, 1)]) for rows in (plain, growing, settled)]

    assert means[0] > 0.4
    assert np.abs(means[1:]).max() < 0.05
