"""What rounding alone decides is decided by something else: views are the same on every kind of CPU."""

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sploot_clusterd.engine import Params
from sploot_clusterd.engine.hero import choose_hero, ranked
from sploot_clusterd.engine.label import assign
from sploot_clusterd.engine.statistics import first_best
from sploot_clusterd.engine.vector_format import VectorFormat
from sploot_clusterd.model import Merge
from tests.engine.corrected import FIRST, SECOND
from tests.engine.fleets import at_hand, profile
from tests.engine.pet import Pet, insight, job, member
from tests.engine.synthetic import Fleet


def lived(album, profiles, jobs, *, shaken=None):
    """The views of an album without qualities, two photos a job; `shaken` adds noise to the last bits of vectors."""
    with pytest.MonkeyPatch.context() as patch:
        if shaken is not None:
            rng, compared = np.random.default_rng(shaken), VectorFormat.compared
            noise = lambda vector: 1 + 1e-7 * rng.uniform(-1, 1, vector.shape)  # noqa: E731
            patch.setattr(
                VectorFormat, "compared", lambda self, data: ((v := compared(self, data)) * noise(v)).astype(np.float32)
            )
        pet, views = Pet(**({} if profiles is None else {"profiles": profiles})), []
        for number in range(jobs):
            images = [insight(f"i{n}", album.embedding[n]) for n in (2 * number, 2 * number + 1)]
            pet.apply(job(number + 1, *images, labels=["A", "B", "C"], force=number % 9 == 8))
            views.append(pet.clusters)
        pet.apply(job(1000, corrections=[Merge([FIRST, SECOND])]))
        return [*views, pet.clusters]


def without_scores(views):
    text = json.loads(json.dumps(views))
    for served in (served for view in text for cluster in view for served in cluster["members"]):
        assert 0.0 <= served.pop("score") <= 1.0
    return text


@pytest.mark.parametrize("profiles", [None, at_hand(profile(1, embedding=32))], ids=["plain", "profile"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_noise_in_the_last_bits_changes_no_view(profiles, number):
    album = Fleet(32).album(number, labels=6)
    jobs = min(len(album) // 2, 30)
    steady = lived(album, profiles, jobs)

    for seed in range(3):
        shaken = lived(album, profiles, jobs, shaken=seed)
        assert without_scores(shaken) == without_scores(steady)


def test_of_two_equally_close_images_the_better_and_then_the_older_one_is_the_hero():
    older, newer = (member(name, quality=None) for name in ("b", "c"))
    for noise in (-1e-8, 0.0, 1e-8):
        assert [m.image_id for _, m in ranked([(0.5 + noise, newer), (0.5, older)])] == ["b", "c"]
        better = member("z", quality=0.9)
        assert ranked([(0.5, older), (0.5 + noise, better)])[0][1] is better
    assert [m.image_id for _, m in ranked([(0.5, older), (0.51, newer)])] == ["c", "b"]


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3)), max_size=12), st.randoms())
def test_members_are_in_the_same_order_with_and_without_noise(places, random):
    scored = [(place / 10, member(f"m{n}", quality=q / 10)) for n, (place, q) in enumerate(places)]
    noisy = [(value + random.uniform(-1e-8, 1e-8), each) for value, each in scored]
    random.shuffle(noisy)

    found = ranked(noisy)

    assert [each.image_id for _, each in found] == [each.image_id for _, each in ranked(scored)]
    assert all(one >= other for (one, _), (other, _) in pairwise(found))


def test_a_lead_of_just_the_margin_is_one_whatever_the_last_bits():
    for noise in (-1e-9, 0.0, 1e-9):
        assert choose_hero("old", [(0.53 + noise, member("new")), (0.5, member("old"))], 0.03) == "new"


@pytest.mark.parametrize("noise", [-1e-9, 0.0, 1e-9])
def test_the_first_of_equals_is_taken_whatever_the_last_bits(noise):
    assert first_best(np.array([0.1, 0.5, 0.5 + noise, 0.2])) == 1
    assert assign([0.25], [0.5, noise * 1e-6]) == [0]


def test_two_photos_without_quality_have_the_older_one_as_their_hero():
    for first, second in (("a", "b"), ("b", "a")):
        pet = Pet(Params(), profiles=at_hand(profile(1, embedding=32)))
        pet.apply(
            job(1, *(insight(name, np.eye(32)[0] + 0.2 * np.eye(32)[1 + (name == "a")]) for name in (first, second)))
        )
        assert [cluster["hero_image_id"] for cluster in pet.clusters] == [first]
