"""Of two corrections the one accepted later counts, whichever is applied first."""

import pytest

from sploot_clusterd.engine import precedence
from sploot_clusterd.model import Apart, Merge, Move, Rename, SetHero, Split, Stay
from tests.engine.corrected import FIRST, SECOND, THIRD, album, corrected, group, refused
from tests.engine.pet import job


@pytest.mark.parametrize(
    ("later", "earlier", "says"),
    [
        (Move(["g0-0"], SECOND), Move(["g0-0"], THIRD), "to the same images"),
        (Move(["g0-0"], SECOND), Split(FIRST, ["g0-0"]), "to the same images"),
        (Split(FIRST, ["g0-0", "g0-1"]), Move(["g0-1"], SECOND), "to the same images"),
        (Split(FIRST, ["g0-0"]), Merge([FIRST, SECOND]), "to the same cluster"),
        (Merge([FIRST, SECOND]), Split(FIRST, ["g0-0"]), "to the same cluster"),
        (Merge([FIRST, SECOND]), Merge([SECOND, THIRD]), "to the same cluster"),
        (Apart([FIRST, SECOND]), Merge([FIRST, SECOND]), "to the same cluster"),
        (Merge([FIRST, SECOND]), Apart([SECOND, THIRD]), "to the same cluster"),
        (Stay(FIRST, ["g0-0"]), Move(["g0-0"], SECOND), "to the same images"),
        (Move(["g0-0"], SECOND), Stay(FIRST, ["g0-0"]), "to the same images"),
        (Rename(FIRST, "later"), Rename(FIRST, "earlier"), "to the same cluster"),
        (SetHero(FIRST, "g0-0"), SetHero(FIRST, "g0-1"), "to the same cluster"),
    ],
)
def test_what_comes_after_a_later_one_is_stale_and_changes_nothing(later, earlier, says):
    pet = album()
    corrected(pet, 9, later)
    pet.reload()

    reason, detail = refused(pet, 5, earlier)

    assert reason == "stale_correction"
    assert detail.startswith("payload.corrections[0]: it comes too late: ")
    assert says in detail


@pytest.mark.parametrize(
    ("later", "earlier"),
    [
        (Move(["g0-0"], SECOND), Move(["g0-1"], SECOND)),
        (Move(["g0-0"], SECOND), Split(FIRST, ["g0-1"])),
        (Rename(FIRST, "name"), Move(["g0-0"], SECOND)),
        (SetHero(FIRST, "g0-1"), Rename(FIRST, "name")),
        (Split(FIRST, ["g0-0"]), Split(SECOND, ["g1-0"])),
        (Rename(FIRST, "name"), Rename(SECOND, "other")),
        (Stay(FIRST, ["g0-0"]), Apart([FIRST, SECOND])),
        (Apart([FIRST, SECOND]), Move(["g0-0"], THIRD)),
    ],
)
def test_what_is_about_something_else_may_come_in_either_order(later, earlier):
    in_order, late = album(), album()
    corrected(in_order, 5, earlier)
    corrected(in_order, 9, later)
    corrected(late, 9, later)
    corrected(late, 5, earlier)

    def shown(pet):
        members = pet.members()
        return {(each["hero_image_id"], tuple(sorted(members[each["id"]]))) for each in pet.clusters}

    assert shown(late) == shown(in_order)


def test_images_that_were_corrected_since_are_left_out():
    pet = album()
    corrected(pet, 9, Move(["g0-0"], SECOND))
    corrected(pet, 5, Move(["g0-0", "g0-1"], THIRD))
    assert (pet.cluster_of("g0-0"), pet.cluster_of("g0-1")) == (SECOND, THIRD)


def test_a_cluster_is_known_by_the_ids_that_lead_to_it():
    pet = album()
    corrected(pet, 2, Merge([FIRST, SECOND]))
    corrected(pet, 9, Rename(SECOND, "later"))
    assert refused(pet, 5, Rename(FIRST, "earlier"))[0] == "stale_correction"


def test_one_request_may_correct_a_thing_twice():
    pet = album()
    corrected(pet, 2, Move(["g0-0"], SECOND), Move(["g0-0"], THIRD), Rename(FIRST, "a"), Rename(FIRST, "b"))
    assert pet.cluster_of("g0-0") == THIRD


def test_what_is_older_than_all_that_is_remembered_is_refused(monkeypatch):
    monkeypatch.setattr(precedence, "_MOST", 4)
    monkeypatch.setattr(precedence, "_KEPT", 2)
    pet = album()
    for number, image in enumerate(["g0-0", "g0-1", "g0-2", "g0-3", "g2-1"]):
        corrected(pet, 10 + 2 * number, Move([image], SECOND))
    assert "too late: many later" in refused(pet, 9, Move(["g2-0"], SECOND))[1]
    assert "too late: many later" in refused(pet, 13, Move(["g2-0"], SECOND))[1]
    corrected(pet, 15, Move(["g2-0"], SECOND))
    assert len(pet.album.corrected.places) <= 4


def test_what_is_not_corrected_costs_nothing():
    pet = album()
    pet.apply(job(2, removed=sorted(group(0, 2))))
    assert b"corrected" not in pet.fields
