"""Corrections that answer a question: they hold for the photos they name and for heroes, and leave the others free."""

import pytest

from sploot_clusterd.engine.apart import told_apart
from sploot_clusterd.model import Move, Split
from tests.engine.corrected import EVERY, FIRST, SECOND, album, corrected, group, images, stir
from tests.engine.said import cells


def held(pet):
    """The images whose cells carry a user's anchor."""
    return {name for name, cell in cells(pet).items() if pet.album.cells[cell].anchor is not None}


def near(pet, *names):
    """These images and their near copies."""
    there = cells(pet)
    return {name for name, cell in there.items() if cell in {there[each] for each in names}}


def hero(pet, cluster):
    return next(each["hero_image_id"] for each in pet.clusters if each["id"] == cluster)


def other(pet, cluster, names):
    """One of the images that is not the cluster's hero."""
    return min(names - {hero(pet, cluster)})


@pytest.mark.parametrize("params", EVERY)
def test_what_does_not_belong_stays_away_from_the_hero(params):
    pet = album(params)
    stands, strange = hero(pet, FIRST), other(pet, FIRST, group(0, 5))

    corrected(pet, 2, Split(FIRST, [strange], asked=True))
    stir(pet, 3)

    assert stands in images(pet)[FIRST]
    assert strange not in images(pet)[FIRST]


@pytest.mark.parametrize("params", EVERY)
def test_what_belongs_elsewhere_is_with_the_hero_there(params):
    pet = album(params)
    stands, there, strange = hero(pet, FIRST), hero(pet, SECOND), other(pet, FIRST, group(0, 5))

    corrected(pet, 2, Move([strange], SECOND, asked=True))
    stir(pet, 3)

    assert {there, strange} <= images(pet)[SECOND]
    assert stands in images(pet)[FIRST]


def test_nothing_else_is_held():
    pet = album()
    strange = other(pet, FIRST, group(0, 5))
    corrected(pet, 2, Move([strange], SECOND, asked=True))
    assert held(pet) == near(pet, strange, hero(pet, FIRST), hero(pet, SECOND)) < group(0, 5) | group(1, 4)

    pet = album()
    corrected(pet, 2, Split(FIRST, [strange], asked=True))
    assert held(pet) == near(pet, strange, hero(pet, FIRST)) < group(0, 5)


def test_to_split_off_all_that_a_cluster_has_holds_them_together():
    pet = album()
    corrected(pet, 2, Split(FIRST, sorted(group(0, 5)), asked=True))
    assert held(pet) == group(0, 5)
    assert set(pet.members()[FIRST]) == group(0, 5)


def test_nobody_who_was_asked_is_asked_whether_the_two_are_one():
    pet = album()
    strange = other(pet, FIRST, group(0, 5))
    corrected(pet, 2, Split(FIRST, [strange], asked=True))
    anchors = {each.anchor for each in pet.album.clusters.values() if each.anchor is not None}
    assert told_apart(pet.reload()) == {tuple(sorted(anchors))}
