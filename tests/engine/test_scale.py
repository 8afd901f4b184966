"""The scale of an encoder: the same for all that gives cosines of one size, whatever pets show."""

from dataclasses import replace

import numpy as np
import pytest

from sploot_clusterd.engine import KindWeights, learn
from sploot_clusterd.engine.scale import LEAST_PETS, USUAL_DEVIATION, measure
from tests.engine.fleets import MODEL, profile, sampled, vectors


def fleet(pets: int, same: float, size: float = 0.4, dimension: int = 256, seed: int = 0):
    """Eight images of each pet, of which two show the same look with probability `same`; these have cosines of `size`
    to two fifths of it about that.
    """
    rng = np.random.default_rng(seed)
    looks = max(round(1 / same), 1) if same else 10**6
    rows, owners = [], []
    for pet in range(pets):
        for look in rng.integers(looks, size=8):
            within = np.clip(size * rng.normal(1.0, 0.4), 0.0, 0.95)
            centre = np.random.default_rng((seed, pet, look)).normal(size=dimension)
            rows.append(within**0.5 * centre + (1 - within) ** 0.5 * rng.normal(size=dimension))
            owners.append(f"pet-{pet}")
    found = np.array(rows) + 2 * np.random.default_rng(1).normal(size=dimension)
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32), owners


def test_it_is_the_deviation_of_one_pets_cosines_once_the_mean_is_gone():
    rows, owners = fleet(40, 0.25)

    found = measure(rows, owners)

    units = rows - rows.mean(axis=0)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    cosines = units @ units.T
    own = np.array(owners)[:, None] == np.array(owners)
    np.fill_diagonal(own, val=False)
    assert found.pets == 40
    assert found.within == pytest.approx(cosines[own].std(), rel=1e-3)
    other = cosines[np.array(owners)[:, None] != np.array(owners)]
    assert found.above == pytest.approx(cosines[own].mean() - other.mean(), abs=3e-3)
    assert found.between == pytest.approx(other.std(), rel=0.03)
    assert found.scale == pytest.approx(found.within / USUAL_DEVIATION, rel=1e-6)


@pytest.mark.parametrize("size", [0.1, 0.2, 0.4])
def test_it_follows_the_size_of_cosines_and_hardly_the_share_of_one_look(size):
    usual = measure(*fleet(60, 0.5, size, 2048)).within
    shares = [measure(*fleet(60, same, size, 2048)).within for same in (0.25, 0.33)]

    assert usual == pytest.approx(size * 0.55, rel=0.2)
    assert shares == pytest.approx([usual] * 2, rel=0.2)


def test_cosines_as_large_as_usual_or_larger_have_scale_one():
    rows, owners = fleet(40, 0.5, 0.9)

    assert measure(rows, owners).scale == 1.0


def test_it_is_known_to_a_tenth_from_the_least_pets_on():
    every = measure(*fleet(300, 0.25)).within
    few = [measure(*fleet(LEAST_PETS, 0.25, seed=seed)).within for seed in range(8)]

    assert np.std(few) < 0.1 * every
    assert np.mean(few) == pytest.approx(every, rel=0.1)


def test_pets_of_one_image_tell_nothing():
    rows, owners = fleet(LEAST_PETS, 0.25)

    assert measure(rows, owners) is not None
    assert measure(rows[8:], owners[8:]) is None
    assert measure(rows, [f"pet-{n}" for n in range(len(rows))]) is None
    assert measure(np.ones_like(rows), owners) is None, "no image differs from the mean"


def test_an_encoder_that_cannot_tell_animals_apart_is_known():
    assert measure(*fleet(LEAST_PETS, 0.25)).tells_apart
    for seed in range(10):
        blind = measure(*fleet(LEAST_PETS, 0.0, seed=seed))
        assert not blind.tells_apart
        assert blind.contrast == pytest.approx(1.0, abs=0.14)


def test_a_first_generation_of_a_few_dozen_pets_has_mean_and_scale():
    rows, owners = fleet(30, 0.25, 0.2)
    images = sampled({"embedding": rows})

    first = learn(MODEL, images, None, owners)

    assert (first.generation, first.settled, first.kinds["embedding"].dimension) == (1, False, 256)
    assert first.scale == pytest.approx(measure(rows, owners).scale, rel=1e-3)
    assert first.scale < 0.7
    assert learn(MODEL, images) is None, "nobody said whose they are"
    assert learn(MODEL, images[:8], None, owners[:8]) is None


def test_the_scale_is_of_vectors_as_they_are_compared():
    rows, owners = fleet(60, 0.25, 0.2)
    steep = rows * np.arange(1, 257, dtype=np.float32) ** -1
    images = sampled({"embedding": steep, "pose": vectors(480, 8)})

    learned = learn(MODEL, images, None, owners)
    heavier = learn(MODEL, images, None, owners, KindWeights(pose=3.0))

    assert learned.kinds["embedding"].spectrum.axes
    assert learned.scale != heavier.scale


def test_a_profile_does_not_settle_while_its_scale_moves():
    rows, owners = fleet(120, 0.25, 0.2)
    images = sampled({"embedding": rows})
    before = learn(MODEL, images, None, owners)
    moved = replace(before, likeness=before.likeness._replace(within=before.likeness.within * 1.1))

    assert learn(MODEL, images, before, owners).settled
    assert not learn(MODEL, images, moved, owners).settled
    assert not learn(MODEL, images, replace(before, sampled=100), owners).settled


def test_a_profile_of_a_former_version_has_scale_one():
    assert profile(embedding=8).likeness is None
    assert profile(embedding=8).scale == 1.0
