"""How images are stored and compared: whole, by a profile that still grows, and by a settled one."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from sploot_clusterd.engine.encoding import Encoding
from sploot_clusterd.engine.params import KindWeights
from sploot_clusterd.errors import BadJobError, BadStateError

from .fleets import MODEL, profile, vectors

WEIGHTS = KindWeights(embedding=1.0, pose=0.5, context=0.5)
LENGTHS = {"embedding": 24, "pose": 6}
LAYOUT = tuple(LENGTHS.items())
GROWING = profile(1, **LENGTHS)
SETTLED = replace(GROWING, settled=True)
ENCODINGS = [Encoding(LAYOUT), Encoding(LAYOUT, GROWING), Encoding(LAYOUT, SETTLED)]
encodings = st.sampled_from(ENCODINGS)
finite = st.floats(allow_nan=False, allow_infinity=False, width=32)
anything = st.fixed_dictionaries(
    {}, optional={kind: npst.arrays(np.float32, length, elements=finite) for kind, length in LAYOUT}
).filter(lambda vectors: vectors and all(map(np.any, vectors.values())))


def image(seed=0, **lengths):
    return {kind: vectors(1, length, seed + 100)[0] for kind, length in (lengths or LENGTHS).items()}


def stored(encoding, seed=0):
    return encoding.pack(image(seed), WEIGHTS)


@given(encodings, anything)
@settings(max_examples=100, deadline=None)
def test_what_is_compared_is_of_length_one_whatever_came(encoding, vectors):
    vector = encoding.compared(encoding.pack(vectors, WEIGHTS))

    assert vector.shape == (encoding.dimension,)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1, abs=2e-3)


@given(encodings, anything)
@settings(max_examples=50, deadline=None)
def test_it_hardly_matters_whether_a_vector_was_stored_and_restored_once_more(encoding, vectors):
    data = encoding.pack(vectors, WEIGHTS)
    again = encoding.keep(encoding.whole(data))

    assert encoding.compared(again) @ encoding.compared(data) > 0.99


def test_without_a_profile_and_while_it_grows_vectors_are_stored_whole():
    plain, growing, settled = (stored(encoding) for encoding in ENCODINGS)

    assert plain == growing
    assert len(plain) == 2 * 30
    assert len(settled) == 4 + ENCODINGS[2].dimension == 4 + 24 + 6


@pytest.mark.parametrize("seed", range(5))
def test_a_settled_profile_compares_as_it_did_while_it_grew(seed):
    _, growing, settled = ENCODINGS

    cosine = growing.compared(stored(growing, seed)) @ settled.compared(stored(settled, seed))

    assert cosine > 0.999


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_kinds_keep_their_weight_and_a_missing_one_is_zeros(encoding):
    both = encoding.compared(stored(encoding))
    alone = encoding.compared(encoding.pack({"pose": image()["pose"]}, WEIGHTS))
    split = 24 if encoding.profile is None else encoding.profile.kinds["embedding"].dimension

    assert np.linalg.norm(both[:split]) == pytest.approx(1 / 1.25**0.5, abs=0.01)
    assert np.linalg.norm(both[split:]) == pytest.approx(0.5 / 1.25**0.5, abs=0.01)
    assert not alone[:split].any()
    assert np.linalg.norm(alone) == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize("known", [None, profile(embedding=24), replace(profile(embedding=24), settled=True)])
def test_a_kind_that_comes_later_is_zeros_in_older_vectors(known):
    narrow = Encoding((("embedding", 24),), known)
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
    encoding = Encoding(
        (("embedding", length), ("pose", 6)), profile(settled=True, count=2000, embedding=length, pose=6)
    )
    for seed in range(5):
        vectors = image(seed, embedding=length, pose=6)
        plain = Encoding(encoding.layout)
        whole = plain.compared(plain.pack(vectors, WEIGHTS))
        again = plain.compared(encoding.whole(encoding.pack(vectors, WEIGHTS)))

        assert np.linalg.norm(again) == pytest.approx(1, abs=2e-3)
        assert again @ whole > nearness


@pytest.mark.parametrize("known", [None, GROWING, SETTLED])
def test_a_wrong_length_is_refused_at_the_door(known):
    encoding = Encoding(LAYOUT, known)

    with pytest.raises(BadJobError, match=r"pose: 7 values where model version 'm@1' has 6") as error:
        encoding.with_kinds({"pose": np.ones(7, np.float32)}, MODEL)
    assert error.value.reason == "dimension"


def test_the_profile_tells_how_long_a_kind_is_that_the_album_has_not_seen():
    with pytest.raises(BadJobError, match="embedding: 25 values where model version 'm@1' has 24"):
        Encoding((), GROWING).with_kinds({"embedding": np.ones(25, np.float32)}, MODEL)
    assert Encoding((), GROWING).with_kinds({"context": np.ones(9, np.float32)}, MODEL).layout == (("context", 9),)


def test_a_profile_of_other_lengths_than_the_album_is_bad_state():
    with pytest.raises(BadStateError, match="embedding: 25 values"):
        _ = Encoding((("embedding", 25),), GROWING).dimension


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        (ENCODINGS[0], b"\0" * 59),
        (ENCODINGS[0], b"\0" * 62),
        (ENCODINGS[0], b"\0\x7e" * 30),
        (ENCODINGS[1], b"\0" * 62),
        (ENCODINGS[1], b"\0\x7c" * 30),
        (ENCODINGS[2], b""),
        (ENCODINGS[2], b"\0" * 3),
        (ENCODINGS[2], b"\0" * 35),
        (ENCODINGS[2], b"\0" * 60),
    ],
)
def test_a_stored_vector_of_a_wrong_length_or_without_a_value_is_bad_state(encoding, data):
    with pytest.raises(BadStateError):
        encoding.compared(data)
    with pytest.raises(BadStateError):
        Encoding(LAYOUT, replace(SETTLED, generation=2)).keep(encoding.whole(data))


@given(encodings, st.binary(max_size=70))
@settings(max_examples=200)
def test_any_stored_bytes_are_a_vector_or_bad_state(encoding, data):
    try:
        vector = encoding.compared(data)
    except BadStateError:
        return
    assert np.isfinite(vector).all()
    assert np.isfinite(encoding.compared(encoding.keep(encoding.whole(data)))).all()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_vector_that_is_all_zeros_stays_so(encoding):
    zeros = np.zeros(30, "<f2").tobytes()

    data = encoding.keep(zeros)

    assert not encoding.compared(data).any()
    assert encoding.whole(data) == zeros


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_fleets_mean_itself_is_compared_without_a_fault(encoding):
    mean = GROWING.kinds["embedding"].mean

    vector = encoding.compared(encoding.pack({"embedding": mean}, WEIGHTS))

    assert np.isfinite(vector).all()
    assert np.linalg.norm(vector) == pytest.approx(1, abs=2e-3) or not vector.any()


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("scale", [1e-38, 1e-8, 1e5, 1e38])
def test_values_beyond_16_bits_lose_nothing_but_their_scale(encoding, scale):
    vectors = image()
    scaled = {kind: values / np.abs(values).max() * np.float32(scale) for kind, values in vectors.items()}

    assert encoding.compared(encoding.pack(scaled, WEIGHTS)) @ encoding.compared(stored(encoding)) > 0.999


def test_an_image_without_a_direction_is_refused():
    for encoding in ENCODINGS:
        with pytest.raises(BadJobError, match="no direction"):
            encoding.pack({"pose": image()["pose"]}, replace(WEIGHTS, pose=0.0))


def test_what_profiles_have_in_common_is_taken_out():
    """Images of a fleet are alike as they come, and not by its profile."""
    plain, growing, settled = (
        np.array([encoding.compared(stored(encoding, seed)) for seed in range(40)]) for encoding in ENCODINGS
    )

    means = [np.mean((rows @ rows.T)[np.triu_indices(40, 1)]) for rows in (plain, growing, settled)]

    assert means[0] > 0.4
    assert np.abs(means[1:]).max() < 0.05
