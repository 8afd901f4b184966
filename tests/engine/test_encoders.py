"""Floors for encoders of every kind: short vectors and long ones, spectra from flat to steep, cosines large and small.

All by the default settings, and by what the fleet learns of each encoder without labels.
"""

from collections.abc import Iterator
from functools import cache

import pytest

from sploot_clusterd.engine import NO_PROFILES, Fresh, Params, Profile, Profiles, Sample
from sploot_clusterd.evaluate.figures import Figures, figures
from sploot_clusterd.evaluate.fleet import adopted, lesson
from sploot_clusterd.evaluate.replay import MODEL_VERSION, replay
from tests.engine.synthetic import BETWEEN, Fleet


def encoder(dimension: int, steepness: float, size: float) -> Fleet:
    """Whose images of one label have centred cosines of `size`, to a fifth of it."""
    within = tuple(BETWEEN + each * size * (1 - BETWEEN) for each in (0.8, 1.2))
    return Fleet(dimension, 1, steepness=steepness, within=within, directions=dimension - 1)


def offered(fleet: Fleet, pets: int) -> Iterator[tuple[str, Fresh]]:
    for number in range(100, 100 + pets):
        album = fleet.album(number)
        for at in range(len(album)):
            each = album.insight(at)
            yield album.name, Fresh(each.image_id, MODEL_VERSION, each.quality, each.vectors)


def learned(fleet: Fleet, pets: int) -> Profile:
    sample = Sample()
    for pet, image in offered(fleet, pets):
        sample.add(pet, image)
    profile, _ = lesson(sample.images(), None, sample.pets(), settled=True)
    assert profile is not None
    return profile


@cache
def measured(dimension: int, steepness: float, size: float, pets: int) -> tuple[Profiles, Figures]:
    fleet = encoder(dimension, steepness, size)
    profiles = adopted(learned(fleet, pets)) if pets else NO_PROFILES
    return profiles, figures([replay(a, Params(), 8, a.number, profiles) for a in fleet.albums(8)])


ENCODERS = {
    (64, 0.0, 0.6): 0.93,
    (64, 0.5, 0.6): 0.92,
    (256, 0.0, 0.2): 0.92,
    (256, 0.5, 0.3): 0.91,
    (512, 0.0, 0.1): 0.87,
    (512, 0.5, 0.2): 0.84,
    (768, 0.25, 0.4): 0.94,
    (1280, 0.0, 0.05): 0.76,
    (1280, 0.5, 0.6): 0.93,
}
"""Dimension, how steeply deviations fall, the size of cosines; and the floor of B-cubed F1."""


@pytest.mark.parametrize(("kind", "floor"), ENCODERS.items(), ids=str)
def test_floors_hold_for_every_encoder(kind: tuple[int, float, float], floor: float):
    _, found = measured(*kind, 60)

    assert found["bcubed_f1"] > floor


def test_without_the_scale_small_cosines_are_hardly_ever_merged():
    _, plain = measured(512, 0.0, 0.1, 0)
    profiles, found = measured(512, 0.0, 0.1, 60)

    assert plain["k_ratio"] > 5
    assert 0.8 < found["k_ratio"] < 1.3
    (profile,) = profiles.known.values()
    assert profile.scale < 0.4


@pytest.mark.parametrize("kind", [(256, 0.0, 0.2), (1280, 0.0, 0.05)], ids=str)
def test_thirty_pets_are_nearly_as_good_as_sixty(kind: tuple[int, float, float]):
    (_, few), (_, many) = measured(*kind, 30), measured(*kind, 60)

    assert few["bcubed_f1"] > many["bcubed_f1"] - 0.03


def test_an_encoder_whose_signal_is_less_than_its_noise_is_known_not_to_tell_animals_apart():
    assert not learned(encoder(1280, 0.5, 0.1), 30).likeness.tells_apart
    assert learned(encoder(256, 0.5, 0.3), 60).likeness.tells_apart
