"""What users are asked: what may be wrong and matters, and never what they have settled."""

import numpy as np
import pytest

from sploot_clusterd.engine import Params
from sploot_clusterd.engine.params import Absorbing
from sploot_clusterd.engine.questions import chance_of_one, chance_of_two, gain, suggest
from sploot_clusterd.model import Apart, Merge, Move, Rename, SetHero, Split, Stay
from sploot_clusterd.view import MOST_DOUBTFUL, Belongs, Same
from tests.engine.corrected import FIRST, SECOND, THIRD, corrected
from tests.engine.pet import Pet, insight, job
from tests.engine.three_looks import album, look, photos


def asked(pet, limit=20):
    return suggest(pet.album, pet.params, limit).suggestions


def pairs(pet):
    return [tuple(each.clusters) for each in asked(pet) if isinstance(each, Same)]


def places(pet):
    return {image: each.cluster for each in asked(pet) if isinstance(each, Belongs) for image in each.image_ids}


def test_the_pair_that_may_be_one_is_asked_about_first():
    pet = album()
    first, *_ = asked(pet)
    assert first.clusters == [FIRST, SECOND]
    assert first.expected_gain > 1.0


def test_questions_are_of_the_views_version_the_best_first_and_no_more_than_wanted():
    pet = album()
    every = suggest(pet.album, pet.params, 20)
    assert every.version == pet.view["version"]
    gains = [each.expected_gain for each in every.suggestions]
    assert gains == sorted(gains, reverse=True)
    assert suggest(pet.album, pet.params, 1).suggestions == every.suggestions[:1]


def test_who_was_told_that_they_are_two_never_asks_again():
    pet = album()
    corrected(pet, 4, Apart([FIRST, SECOND]))
    assert (FIRST, SECOND) not in pairs(pet)
    pet.apply(job(5, insight("g1-9", look(1, 0, 0.5, 9)), force=True))
    pet.reload()
    assert (FIRST, SECOND) not in pairs(pet)


@pytest.mark.parametrize("settled", [Split(FIRST, ["g0-0", "g0-1", "g0-2"]), Move(["g0-0"], SECOND)])
def test_nor_is_asked_whether_what_a_user_parted_is_one(settled):
    pet = album()
    corrected(pet, 4, settled)
    assert (FIRST, pet.cluster_of("g0-0")) not in pairs(pet)
    assert "g0-0" not in places(pet)


def test_clusters_of_different_names_are_two_those_of_one_name_may_be_one():
    pet = album()
    corrected(pet, 4, Rename(FIRST, "Rex"), Rename(SECOND, "Bella"))
    assert (FIRST, SECOND) not in pairs(pet)
    corrected(pet, 5, Rename(SECOND, "Rex"))
    assert (FIRST, SECOND) in pairs(pet)


def test_a_named_cluster_may_be_one_with_another():
    pet = album()
    corrected(pet, 4, Rename(FIRST, "Rex"))
    assert (FIRST, SECOND) in pairs(pet)


def stray(quality=None):
    """An album in which a photo of another look was put into the first cluster."""
    pet = Pet(Params(absorbing=Absorbing(likeness=-1.0, lead=0.0)))
    pet.apply(job(1, *photos(0, 6), *photos(2, 4), insight("stray", look(5, 0, 0.2), quality)))
    assert pet.cluster_of("stray") == FIRST
    return pet


def test_a_photo_that_is_unlike_its_cluster_is_asked_about():
    first, *_ = asked(stray())
    assert (first.image_id, first.cluster) == ("stray", FIRST)


@pytest.mark.parametrize("answer", [Stay(FIRST, ["stray"]), Split(FIRST, ["stray"]), SetHero(FIRST, "stray")])
def test_it_is_not_asked_about_once_a_user_said_where_it_belongs(answer):
    pet = stray()
    corrected(pet, 2, answer)
    assert "stray" not in places(pet)


def test_nobody_is_asked_about_photos_that_show_too_little():
    assert "stray" in places(stray(0.9))
    assert "stray" not in places(stray(0.3))
    assert pairs(album(quality=0.49, share=0.5))
    assert not pairs(album(quality=0.47, share=0.5))


def mixed(strange):
    """An album whose first cluster took in so many photos of another look."""
    pet = Pet()
    pet.apply(job(1, *photos(0, 14), *photos(1, 5), *photos(2, strange)))
    corrected(pet, 2, Merge([FIRST, THIRD]))
    return pet


def belonging(pet):
    return next(each for each in asked(pet) if isinstance(each, Belongs))


def test_a_question_names_the_photos_that_are_most_in_doubt_and_never_the_hero():
    pet = mixed(3)
    question = belonging(pet)
    assert question.image_id == question.image_ids[0]
    assert set(question.image_ids[:3]) == {f"g2-{n}" for n in range(3)}
    assert len(belonging(mixed(12)).image_ids) == MOST_DOUBTFUL
    assert next(each for each in pet.clusters if each["id"] == FIRST)["hero_image_id"] not in question.image_ids
    assert question.expected_gain > belonging(mixed(2)).expected_gain


def test_of_the_photos_named_each_may_be_answered_alone():
    pet = mixed(3)
    corrected(pet, 3, Stay(FIRST, ["g2-0"]), Split(FIRST, ["g2-1"], asked=True))
    assert not {"g2-0", "g2-1"} & places(pet).keys()
    assert places(pet)["g2-2"] == FIRST


def test_photos_without_vectors_and_albums_of_one_photo_are_no_question():
    pet = Pet()
    assert asked(pet) == []
    pet.apply(job(1, image_ids=["a", "b", "c"], labels=["x", "y"]))
    pet.apply(job(2, insight("alone", look(0))))
    assert asked(pet) == []


def test_clusters_of_two_encoders_are_not_compared():
    pet = album()
    pet.apply(job(4, *(insight(f"n{n}", look(0, seed=n)) for n in range(4)), model_version="m@2"))
    newer = pet.cluster_of("n0")
    assert not any(newer in pair for pair in pairs(pet))


def test_chances_grow_with_evidence_and_gains_count_photos():
    rising = np.array([-300.0, -1.0, 0.0, 1.0, 300.0])
    for chances in (chance_of_one(rising), chance_of_two(rising, rising, np.zeros(5))):
        assert (np.diff(chances) > 0).all()
        assert chances[0] < 0.01
        assert chances[-1] > 0.99
    assert chance_of_two(np.zeros(1), np.zeros(1), np.array([0.5])) > chance_of_two(*np.zeros((3, 1)))
    assert gain(np.array([1.0, 4.0]), np.array([1.0, 12.0])).tolist() == [1.0, 6.0]
