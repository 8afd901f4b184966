"""Profiles: read back as they were written or refused, and what they make of a vector."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sploot_clusterd.engine import NeedsProfileError, Profile, Profiles, decode_profile, encode_profile
from sploot_clusterd.engine.learning import learn_kind
from sploot_clusterd.engine.profile import KindProfile
from sploot_clusterd.errors import BadStateError
from tests.engine.fleets import DEEP, MODEL, at_hand, profile, vectors


@st.composite
def kinds(draw):
    length, dimension = draw(st.integers(1, 9)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    mean, axes = rng.uniform(-1, 1, size=length), rng.normal(size=(dimension, length))
    scales = rng.uniform(0.1, 9, size=dimension)
    return KindProfile(*(each.astype(np.float32) for each in (mean, axes, scales)), draw(st.floats(0, 1)))


profiles = st.builds(
    Profile,
    st.text(max_size=9),
    st.integers(1, 2**40),
    st.integers(0, 2**40),
    st.booleans(),
    st.none() | st.floats(0, 1),
    st.dictionaries(st.sampled_from(["embedding", "pose", "context"]), kinds()),
)


@given(profiles)
@settings(max_examples=40)
def test_a_profile_is_read_back_with_axes_of_16_bits(one):
    again = decode_profile(encode_profile(one))

    assert again.summary() == one.summary()
    for kind, known in one.kinds.items():
        read = again.kinds[kind]
        assert (read.mean == known.mean).all()
        assert (read.scales == known.scales).all()
        assert (read.axes == known.axes.astype(np.float16)).all()
        assert {each.dtype for each in (read.mean, read.axes, read.scales)} == {np.dtype(np.float32)}
    assert encode_profile(again) == encode_profile(one)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_profile_or_bad_state(raw):
    with pytest.raises(BadStateError):
        decode_profile(raw)


@given(profiles, st.integers(0, 10**6), st.integers(0, 255))
@settings(max_examples=60)
def test_a_changed_byte_is_another_profile_or_bad_state(one, place, value):
    raw = bytearray(encode_profile(one))
    raw[place % len(raw)] = value
    try:
        decode_profile(bytes(raw)).summary()
    except BadStateError:
        return


@given(profiles, st.integers(0, 10**6))
@settings(max_examples=40)
def test_a_profile_that_was_cut_off_is_bad_state(one, place):
    raw = encode_profile(one)

    with pytest.raises(BadStateError, match="cannot be read"):
        decode_profile(raw[: place % len(raw)])


def record(**kind):
    """A profile's record with values of its one kind replaced."""
    raw = msgspec.msgpack.decode(encode_profile(profile(embedding=8, count=300)))
    places = {"mean": 0, "axes": 1, "scales": 2, "rest": 3}
    for name, value in kind.items():
        raw[6]["embedding"][places[name]] = value
    return raw


def floats(*values):
    return np.array(values, "<f4").tobytes()


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ({"mean": b""}, "do not fit"),
        ({"mean": b"\0" * 31}, "do not fit"),
        ({"mean": b"\0" * 28}, "do not fit"),
        ({"axes": b""}, "do not fit"),
        ({"scales": b"\0" * 27}, "do not fit"),
        ({"scales": b"", "axes": b""}, "no axes"),
        ({"mean": b"", "axes": b""}, "no axes"),
        ({"mean": floats(*[0] * 7, np.nan)}, "not finite"),
        ({"mean": floats(*[0] * 7, np.inf)}, "not finite"),
        ({"mean": floats(*[0] * 7, -2)}, "cannot have"),
        ({"axes": b"\0\x7e" * 64}, "not finite"),
        ({"scales": floats(*[1] * 7, np.inf)}, "not finite"),
        ({"scales": floats(*[1] * 7, 0)}, "not above 0"),
        ({"scales": floats(*[1] * 7, -1)}, "not above 0"),
        ({"rest": np.nan}, "not a length"),
        ({"rest": np.inf}, "not a length"),
        ({"rest": -0.1}, "not a length"),
        ({"rest": "much"}, "cannot be read"),
    ],
)
def test_a_kind_that_contradicts_itself_is_bad_state(kind, text):
    with pytest.raises(BadStateError, match=text):
        decode_profile(msgspec.msgpack.encode(record(**kind)))


@pytest.mark.parametrize(
    ("place", "value", "text"),
    [
        (0, 2, "format 2, not 1"),
        (1, 7, "cannot be read"),
        (2, 0, "no generation"),
        (2, -1, "no generation"),
        (4, 1, "cannot be read"),
        (5, np.nan, "not finite"),
        (6, {"embedding": []}, "cannot be read"),
    ],
)
def test_a_profile_that_contradicts_itself_is_bad_state(place, value, text):
    raw = record()
    raw[place] = value

    with pytest.raises(BadStateError, match=text):
        decode_profile(msgspec.msgpack.encode(raw))


def test_what_is_nested_too_deep_is_bad_state():
    with pytest.raises(BadStateError, match="recursion"):
        decode_profile(b"\x98\x01\xa1m\x01\x01\xc2\xc0\x80" + DEEP)


def test_a_vector_is_reduced_to_its_scaled_coordinates():
    known = profile(embedding=16).kinds["embedding"]
    (vector,) = vectors(1, 16, seed=5)

    expected = [
        float(scale * (axis @ (vector - known.mean))) for axis, scale in zip(known.axes, known.scales, strict=True)
    ]

    assert known.reduce(vector) == pytest.approx(expected, abs=1e-5)
    assert known.reduce(np.array([vector, vector]))[1] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("dimension", "nearness"), [(8, 0.9999), (64, 0.9999), (400, 0.89)])
def test_a_reduced_vector_is_expanded_to_nearly_what_it_was(dimension, nearness):
    """Its length was lost, and of 400 values there is more than the axes hold."""
    known = learn_kind(vectors(500, dimension))
    for vector in vectors(20, dimension, seed=9):
        reduced = known.reduce(vector)
        expanded = known.expand(reduced / np.float32(np.linalg.norm(reduced)))

        assert np.linalg.norm(expanded) == pytest.approx(1, abs=1e-5)
        assert expanded @ vector > nearness


def test_only_a_kind_of_the_profiles_length_fits_it():
    one = profile(embedding=8)

    assert [one.dimension(*kind) for kind in (("embedding", 8), ("embedding", 9), ("pose", 34))] == [8, 9, 34]
    assert one.of_kind("embedding", 8) is one.kinds["embedding"]
    assert one.of_kind("embedding", 9) is None
    assert [one.fits(each) for each in ({}, {"pose": 34}, {"embedding": 8}, {"embedding": 9})] == [True] * 3 + [False]


def test_a_generation_that_is_not_at_hand_is_named():
    known = at_hand(profile(2, embedding=8))

    assert known.get(MODEL, 0) is None
    assert known.get(MODEL, 2) is known.known[MODEL, 2]
    with pytest.raises(NeedsProfileError) as error:
        Profiles().get(MODEL, 2)
    assert (error.value.model_version, error.value.generation) == (MODEL, 2)


def test_the_summary_is_what_json_can_say():
    summary = replace(profile(3, settled=True, embedding=8, pose=4), drift=0.25).summary()

    assert msgspec.json.decode(msgspec.json.encode(summary)) == summary
    assert (summary["generation"], summary["settled"], summary["drift"], summary["sampled"]) == (3, True, 0.25, 400)
    assert summary["kinds"]["pose"]["length"] == 4
    assert summary["kinds"]["embedding"]["dimension"] == 8
