"""What a fleet learns, and when: the rules are the daemon's, and learning costs the albums nothing."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from sploot_clusterd.engine import Fresh, Params, encode_profile
from sploot_clusterd.engine.learning import FIRST_SAMPLE
from sploot_clusterd.evaluate import fleet as fleet_module
from sploot_clusterd.evaluate.fleet import Fleet
from sploot_clusterd.evaluate.modes import Online
from sploot_clusterd.evaluate.replay import Replay
from tests.engine.synthetic import Encoder

PETS = 60


def photos(pet: int, kind: str = "embedding", length: int = 16) -> list[Fresh]:
    """Thirty, so that nearly every slot of the pet is taken."""
    rng = np.random.default_rng(pet)
    vectors = Encoder(length).images(rng, np.arange(30)).astype(np.float32)
    return [Fresh(f"img-{at}", "eval", None, {kind: vector}) for at, vector in enumerate(vectors)]


def test_generations_follow_as_the_sample_grows_by_half_until_one_is_settled():
    fleet = Fleet()
    for pet in range(3 * PETS):
        fleet.take(f"pet-{pet}", photos(pet))
    generations = fleet.generations

    assert [profile.generation for profile in generations] == list(range(1, len(generations) + 1))
    assert len(generations) > 1
    for before, after in pairwise(generations):
        assert after.sampled >= 1.5 * before.sampled
        assert after.drift is not None
    assert fleet.profiles.adopt == {"eval": len(generations)}
    assert list(fleet.profiles.known) == [("eval", profile.generation) for profile in generations]


def test_once_settled_nothing_more_is_sampled(monkeypatch: pytest.MonkeyPatch):
    images = [image.sampled() for pet in range(20) for image in photos(pet)]
    settled = fleet_module.lesson(images, settled=True).profile
    fleet = Fleet()
    monkeypatch.setattr(fleet_module, "learn", lambda *_: settled)
    for pet in range(PETS):
        fleet.take(f"pet-{pet}", photos(pet))

    assert len(fleet.generations) == 1
    assert FIRST_SAMPLE <= len(fleet.sample) < FIRST_SAMPLE + 8


def test_what_cannot_be_learned_is_tried_again_when_the_sample_has_grown_by_a_tenth(monkeypatch: pytest.MonkeyPatch):
    tried: list[int] = []
    monkeypatch.setattr(fleet_module, "learn", lambda _, sample, *__: tried.append(len(sample)))
    fleet = Fleet()
    for pet in range(PETS):
        fleet.take(f"pet-{pet}", photos(pet))

    assert len(tried) > 2
    assert all(after >= 1.1 * before for before, after in pairwise(tried))
    assert (fleet.generations, fleet.profiles.adopt) == ([], {})


def test_a_profile_is_what_comes_back_from_redis():
    sample = [image.sampled() for pet in range(20) for image in photos(pet)]
    profile, seconds = fleet_module.lesson(sample)

    assert profile is not None
    axes = profile.kinds["embedding"].axes
    assert (axes.astype(np.float16) == axes).all()
    assert seconds > 0.0
    assert fleet_module.lesson(sample[:299]).profile is None
    assert encode_profile(fleet_module.lesson(sample).profile or profile) == encode_profile(profile)


def test_learning_is_no_part_of_what_images_cost(albums, monkeypatch: pytest.MonkeyPatch):
    ticks = iter(range(0, 10**6, 1000))
    monkeypatch.setattr(fleet_module, "time", SimpleNamespace(thread_time=lambda: next(ticks)))
    replays = [Replay(album, Params(), 8, seed=0) for album in albums]
    results, learning = Online().run(replays, 0, lambda _: None)

    assert learning is not None
    assert learning.seconds >= 1000.0 * len(learning.profiles) > 0.0, "some lessons were in vain"
    assert sum(result.microseconds for result in results) < 100e6
