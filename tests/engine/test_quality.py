"""Floors under how good the clusters are, on synthetic albums: about .02 below what was seen over many seeds.

They guard what was reached. How good the engine is on real photos is measured with `clusterd eval`.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pytest

from sploot_clusterd.engine import NO_PROFILES, Fresh, Params, Profiles
from sploot_clusterd.evaluate.albums import LabelledAlbum
from sploot_clusterd.evaluate.figures import Figures, figures
from sploot_clusterd.evaluate.fleet import adopted, lesson
from sploot_clusterd.evaluate.replay import MODEL_VERSION, replay
from tests.engine.synthetic import Encoder, Fleet

KINDS = {"pose": 34, "context": 128}


def albums(dimension: int = 512, fleets: Iterable[int] = range(2), **more) -> list[LabelledAlbum]:
    """Eight of each fleet."""
    return [album for seed in fleets for album in Fleet(dimension, seed, **more).albums(8)]


def learned(dimension: int = 512, seed: int = 0, **more) -> Profiles:
    """What the fleet's albums adopt: a settled profile of thirty others of its encoder."""
    others = [Fleet(dimension, seed, **more).album(number) for number in range(100, 130)]
    insights = [album.insight(at) for album in others for at in range(len(album))]
    sample = [Fresh(each.image_id, MODEL_VERSION, each.quality, each.vectors).sampled() for each in insights]
    profile, _ = lesson(sample, settled=True)
    assert profile is not None
    return adopted(profile)


def measured(some: Sequence[LabelledAlbum], most: int = 8, profiles: Profiles = NO_PROFILES, **params) -> Figures:
    return figures([replay(album, Params(**params), most, album.number, profiles) for album in some])


def f1(some: Sequence[LabelledAlbum], most: int = 8) -> float:
    return measured(some, most)["bcubed_f1"]


@pytest.fixture(scope="module")
def usual() -> float:
    """F1 of the albums that the others are compared with."""
    return f1(albums())


def test_synthetic_vectors_are_as_near_as_real_ones():
    label = np.repeat(np.arange(20), 20)
    for dimension in (64, 512, 1280):
        vectors = Encoder(dimension).images(np.random.default_rng(1), label)
        cosines = (vectors @ vectors.T)[np.triu_indices(len(label), 1)]
        same = (label[:, None] == label)[np.triu_indices(len(label), 1)]

        assert cosines[same].mean() == pytest.approx(0.61, abs=0.03)
        assert cosines[~same].mean() == pytest.approx(0.25, abs=0.02)
        assert 0.07 < cosines[same].std() < 0.12
        assert 0.07 < cosines[~same].std() < 0.12


@pytest.mark.parametrize("dimension", [64, 512, 1280])
def test_floors_hold_for_vectors_of_every_length_and_higher_ones_with_a_profile(dimension):
    some = albums(dimension, [1])

    plain, profiled = measured(some), measured(some, profiles=learned(dimension, 1))

    assert plain["bcubed_f1"] > 0.9
    assert plain["ari"] > 0.875
    assert plain["purity"] > 0.945
    assert 1.0 < plain["k_ratio"] < 1.7
    assert plain["churn"] < 0.06
    assert plain["churn_from_30_images"] < 0.025
    assert profiled["bcubed_f1"] > max(0.92, plain["bcubed_f1"] - 0.005)
    assert profiled["ari"] > max(0.9, plain["ari"] - 0.005)
    assert profiled["purity"] > 0.955
    assert 0.9 < profiled["k_ratio"] < 1.5
    assert profiled["churn"] < 0.025
    assert profiled["churn_from_30_images"] < 0.015
    for found in (plain, profiled):
        assert found["hero_precision"] > 0.96
        assert found["hero_undegraded"] > 0.98


def test_floors_hold_for_albums_of_many_labels():
    some = [Fleet(512, 1).album(0, labels=40)]

    plain, profiled = measured(some), measured(some, profiles=learned(512, 1))

    assert plain["bcubed_f1"] > 0.86
    assert profiled["bcubed_f1"] > 0.85
    for found in (plain, profiled):
        assert found["purity"] > 0.935
        assert found["hero_precision"] > 0.95


def test_a_degraded_twin_is_never_the_hero_where_a_good_photo_is_there():
    found = measured(albums(near=(0.85, 0.98)))

    assert found["hero_undegraded"] == 1.0
    assert found["hero_precision"] > 0.98
    assert found["bcubed_f1"] > 0.965


def test_an_album_of_more_cells_than_are_kept_hardly_loses(usual):
    found = measured(albums(), max_cells=40)

    assert found["bcubed_f1"] > usual - 0.02
    assert found["purity"] > 0.95


def test_other_kinds_help_or_do_no_harm_also_where_images_lack_them(usual):
    assert f1(albums(others=KINDS)) > usual - 0.01
    assert f1(albums(others=KINDS, missing={"pose": 0.3, "context": 0.3})) > usual - 0.01


def test_images_without_an_embedding_are_grouped_by_their_other_kinds():
    lacking = {"others": KINDS, "missing": {"embedding": 0.2}}
    some = albums(fleets=[1], **lacking)

    plain, profiled = measured(some), measured(some, profiles=learned(seed=1, **lacking))

    assert plain["bcubed_f1"] > 0.735
    assert plain["purity"] > 0.9
    assert profiled["bcubed_f1"] > 0.83
    assert profiled["purity"] > 0.965


def test_the_order_of_arrival_hardly_matters(usual):
    shuffled = [f1([album.shuffled(seed) for album in albums()]) for seed in range(2)]

    assert max(*shuffled, usual) - min(*shuffled, usual) < 0.01


def test_it_hardly_matters_how_many_images_a_job_brings(usual):
    assert f1(albums(), most=1) == pytest.approx(usual, abs=0.01)
    assert f1(albums(), most=50) == pytest.approx(usual, abs=0.01)


def test_copies_of_one_photo_make_one_cluster():
    one = albums()[0].embedding[:1]
    result = replay(LabelledAlbum(0, np.tile(one, (40, 1)), np.zeros(40, np.int64)), Params(), 8, seed=0)

    assert result.scores == (1, 1, 1, 1, 1, 1)
