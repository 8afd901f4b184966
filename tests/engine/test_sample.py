"""The fleet's sample: who may be in it, and how an image of it is stored."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare, kstest

from sploot_clusterd.engine import (
    Fresh,
    Sampled,
    decode_sampled,
    encode_sampled,
    slot,
)
from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.errors import BadStateError
from sploot_clusterd.model import SAMPLE_LIMIT, SLOTS_A_PET, slots
from tests.engine.fleets import DEEP
from tests.engine.pet import START_MS, Pet, direction, insight, job

halves = st.lists(st.floats(-1, 1, width=16), min_size=1, max_size=9).map(
    lambda values: np.array(values, "<f2").tobytes()
)


@given(st.none() | st.floats(0, 1), st.dictionaries(st.sampled_from(["embedding", "pose"]), halves))
def test_a_sampled_image_is_read_back_as_it_was(quality, vectors):
    sampled = Sampled(quality, vectors)

    assert decode_sampled(encode_sampled(sampled)) == sampled


@given(st.binary(max_size=40))
def test_any_bytes_are_a_sampled_image_or_bad_state(raw):
    try:
        assert isinstance(decode_sampled(raw), Sampled)
    except BadStateError:
        return


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        msgspec.msgpack.encode([None]),
        msgspec.msgpack.encode(["good", {}]),
        msgspec.msgpack.encode([None, {"embedding": b""}]),
        msgspec.msgpack.encode([None, {"embedding": b"abc"}]),
        msgspec.msgpack.encode([None, {"embedding": b"\0\0\0\x7e"}]),
        msgspec.msgpack.encode([None, {"embedding": b"\0\x7c"}]),
        msgspec.msgpack.encode([None, {"embedding": "text"}]),
        b"\x93\xc0\x80" + DEEP,
    ],
)
def test_an_image_that_nothing_can_be_learned_from_is_bad_state(raw):
    with pytest.raises(BadStateError):
        decode_sampled(raw)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_vectors_are_sampled_at_length_one_whatever_their_scale(scale):
    values = np.array([3, -4], dtype=np.float32) * np.float32(scale)

    sampled = Fresh("img", "m@1", 0.5, {"embedding": values, "pose": -values}).sampled()

    assert np.frombuffer(sampled.vectors["embedding"], "<f2") == pytest.approx([0.6, -0.8], abs=1e-3)
    assert np.frombuffer(sampled.vectors["pose"], "<f2") == pytest.approx([-0.6, 0.8], abs=1e-3)
    assert sampled.quality == 0.5


def test_a_pet_has_eight_slots_and_an_image_always_the_same():
    names = [slot("pet_1", f"img-{n}") for n in range(400)]

    assert {name for name, _ in names} == set(slots("pet_1"))
    assert len(slots("pet_1")) == SLOTS_A_PET == 8
    assert len({priority for _, priority in names}) == 8
    assert slot("pet_1", "img-0") == ("pet_1#4", 0.008417860353252316), "stored samples rely on it"
    assert SAMPLE_LIMIT == 4000


def test_images_are_spread_evenly_over_the_slots():
    counts = np.bincount([int(slot("pet_1", f"img-{n}")[0][-1]) for n in range(8000)], minlength=8)

    assert chisquare(counts).pvalue > 0.01


def test_priorities_are_uniform_whatever_pets_and_images_are_called():
    priorities = [slot(f"pet_{n}", "img-0")[1] for n in range(4000)]

    assert all(0 <= priority < 1 for priority in priorities)
    assert kstest(priorities, "uniform").pvalue > 0.01


def test_images_whose_vectors_were_taken_in_are_offered():
    pet = Pet()
    applied = pet.apply(
        job(5, insight("a", direction(0), 0.7), insight("bare"), image_ids=["listed"]),
        job(6, insight("b", direction(1)), model_version="m@2"),
    )

    assert [(each.image_id, each.model_version, each.quality) for each in applied.fresh] == [
        ("a", "m@1", 0.7),
        ("b", "m@2", None),
    ]
    assert (applied.fresh[0].vectors["embedding"] == direction(0)).all()


def test_images_that_something_newer_outdoes_are_not_offered():
    pet = Pet()
    pet.apply(job(5, insight("updated", direction(0)), removed=["removed"]))

    late = pet.apply(job(3, insight("removed", direction(0)), insight("updated", direction(1))))
    twice = pet.apply(job(7, insight("c", direction(0)), insight("c", direction(1))))
    rejected = pet.apply(job(8, insight("d", direction(0)), insight("e", [1.0])))

    assert not late.fresh
    assert not rejected.fresh
    assert [each.vectors["embedding"].tolist() for each in twice.fresh] == [direction(1).tolist()]
    again = pet.apply(job(7, insight("c", direction(0)), sequence=EntryId(START_MS + 10**6, 0)))
    assert not again.fresh
