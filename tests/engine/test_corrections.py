"""Users' corrections: what each does at once, and what is left of it later."""

import numpy as np
import pytest

from sploot_clusterd.engine import Params, Profiles, Sampled, apply, learn
from sploot_clusterd.engine.assignment import assignment
from sploot_clusterd.engine.rows import decode_row
from sploot_clusterd.model import Merge, Move, Rename, SetHero, Split
from tests.engine.corrected import EVERY, FIRST, SECOND, THIRD, album, corrected, group, images, refused, stir
from tests.engine.pet import START_MS, Pet, direction, insight, job, photos

ONE_CELL = Params(max_cluster_size=2, join_cosine=0.1, join_threshold=0.1)


@pytest.mark.parametrize("params", EVERY)
def test_merged_clusters_are_one_under_the_older_id_and_stay_one(params):
    pet = album(params)

    applied = corrected(pet, 2, Merge([THIRD, FIRST]))
    assert images(pet) == {FIRST: group(0, 5) | group(2, 3), SECOND: group(1, 4)}
    assert applied.changes.corrections == {"merge": 1}
    assert applied.changes.merged == 1
    stir(pet, 3)

    assert images(pet) == {FIRST: group(0, 5) | group(2, 3), SECOND: group(1, 4)}


@pytest.mark.parametrize("params", EVERY)
def test_what_is_split_off_has_a_new_id_and_stays_apart(params):
    pet = album(params)

    corrected(pet, 2, Split(FIRST, ["g0-0", "g0-1", "g1-0", "unheard-of"]))
    new = pet.cluster_of("g0-0")
    expected = {FIRST: group(0, 5) - group(0, 2), new: group(0, 2), SECOND: group(1, 4), THIRD: group(2, 3)}
    assert new == "pet_123-cluster-3"
    assert images(pet) == expected
    stir(pet, 3)

    assert images(pet) == expected


@pytest.mark.parametrize("params", EVERY)
def test_what_is_moved_stays_where_it_was_put(params):
    pet = album(params)
    expected = {FIRST: group(0, 5) - {"g0-0"}, SECOND: group(1, 4) | {"g0-0", "g2-0"}, THIRD: group(2, 3) - {"g2-0"}}

    corrected(pet, 2, Move(["g0-0", "g1-0", "g2-0", "unheard-of"], SECOND))
    assert images(pet) == expected
    stir(pet, 3)

    assert images(pet) == expected


@pytest.mark.parametrize("params", EVERY)
def test_a_given_label_outdoes_votes_and_coverage(params):
    pet = album(params)
    said = {"labels": ("Portraits", "Action Shots"), "coverage": {"portrait": 0.5}}

    corrected(pet, 2, Rename(FIRST, "On the beach"), Rename(SECOND, "Portraits"), **said)
    pet.apply(job(3, *(insight(f"g0-{n}", label="Sleep") for n in range(5))))
    stir(pet, 4)

    labels = {cluster["id"]: cluster["label"] for cluster in pet.clusters}
    assert (labels[FIRST], labels[SECOND], labels[THIRD]) == ("On the beach", "Portraits", "Action Shots")


def test_of_two_labels_the_newer_one_counts_whichever_cluster_had_it():
    pet = album()
    corrected(pet, 9, Rename(FIRST, "newer"))
    corrected(pet, 6, Rename(SECOND, "of the other"))
    corrected(pet, 10, Merge([FIRST, SECOND]))
    assert pet.clusters[0]["label"] == "newer"
    corrected(pet, 11, Rename(SECOND, "once more"), Rename(FIRST, "and again"))
    assert pet.clusters[0]["label"] == "and again"


@pytest.mark.parametrize("params", [*EVERY, Params(max_cluster_size=2), ONE_CELL])
def test_a_pinned_hero_stays_served_and_stays_the_hero(params):
    pet = Pet(params)
    pet.apply(job(1, *(insight(f"g0-{n}", direction(0, 0.1, n), 0.9) for n in range(8))))
    pet.apply(job(2, insight("poor", direction(0, 0.2, 50), 0.0)))
    (cluster,) = pet.members()

    corrected(pet, 3, SetHero(cluster, "poor"))
    pet.apply(job(4, *(insight(f"more-{n}", direction(0, 0.1, 60 + n), 1.0) for n in range(8))))
    pet.apply(job(5, insight("poor", direction(0, 0.2, 51), 0.1)))
    pet.apply(job(6, force=True))
    pet.reload()

    (shown,) = pet.clusters
    members = [member["image_id"] for member in shown["members"]]
    assert shown["hero_image_id"] == "poor"
    assert members[-1] == "poor"
    assert len(members) == min(17, params.max_cluster_size)

    pet.apply(job(7, removed=["poor"]))
    assert pet.clusters[0]["hero_image_id"] != "poor"
    pet.apply(job(8, insight("poor", direction(0, 0.2, 50), 0.0)))
    assert pet.clusters[0]["hero_image_id"] != "poor"


def test_where_two_pinned_heroes_meet_the_newest_pin_counts():
    pet = album()
    corrected(pet, 4, SetHero(SECOND, "g1-2"))
    corrected(pet, 3, SetHero(FIRST, "g0-3"), SetHero(FIRST, "g0-4"))
    assert [cluster["hero_image_id"] for cluster in pet.clusters][:2] == ["g0-4", "g1-2"]

    corrected(pet, 5, Merge([FIRST, SECOND]))
    assert pet.clusters[0]["hero_image_id"] == "g1-2"
    pet.apply(job(6, removed=["g1-2"]))
    assert pet.clusters[0]["hero_image_id"] == "g0-4"


AGAIN = photos([4])[3]


@pytest.mark.parametrize("late", [2, 3])
@pytest.mark.parametrize(("chosen", "is_hero"), [(20, True), (5, False)])
def test_a_chosen_hero_outlasts_a_removal_of_before_it_wherever_that_comes(chosen, is_hero, late):
    pet = album()
    jobs = [job(chosen, corrections=[SetHero(FIRST, "g0-3")]), job(30, AGAIN)]
    jobs.insert(late - 1, job(10, removed=["g0-3"]))

    for each in jobs:
        pet.apply(each)

    pins = {m.pinned for cell in pet.album.cells.values() for m in cell.members if m.image_id == "g0-3"}
    assert pins == {decode_row(pet.rows()["g0-3"]).pinned} == {(*jobs[0].sequence, 0) if is_hero else None}
    assert (pet.clusters[0]["hero_image_id"] == "g0-3") >= is_hero


def test_a_choice_of_before_the_image_was_removed_is_stale_when_that_is_there_again():
    pet = album()
    pet.apply(job(10, removed=["g0-3"]))
    pet.apply(job(30, AGAIN))

    reason, detail = refused(pet, 5, SetHero(FIRST, "g0-3"))

    assert reason == "stale_correction"
    assert detail.endswith("image_id: g0-3 was removed since, and came again")


def test_a_corrected_cluster_is_shown_from_one_image_on():
    pet = album()
    pet.apply(job(2, insight("lone", direction(9))))

    corrected(pet, 3, Split(FIRST, ["g0-0"]), Move(["lone"], SECOND))

    assert pet.members()["pet_123-cluster-3"] == ["g0-0"]
    assert pet.view["unclustered"] == []
    assert assignment(pet.album, pet.rows(), pet.params)["g0-0"] == 3
    assert pet.cluster_of("lone") == SECOND


def test_new_images_may_join_a_corrected_cluster_and_keep_its_name_when_its_first_ones_go():
    pet = album()
    corrected(pet, 2, Rename(FIRST, "Beach"))
    pet.apply(job(3, *(insight(f"new-{n}", direction(0, 0.5, 80 + n)) for n in range(3))))
    assert pet.cluster_of("new-0") == FIRST
    assert {pet.album.cells[cell].anchor for cell in pet.album.clusters[0].cells} == {0, None}

    pet.apply(job(4, removed=sorted(group(0, 5))))
    stir(pet, 5)
    assert {c["label"] for c in pet.clusters if c["id"] == FIRST} == {"Beach"}

    pet.apply(job(40, removed=[f"new-{n}" for n in range(3)] + [f"g0-new{n}" for n in range(3)] + sorted(group(0, 5))))
    assert FIRST not in pet.members()
    assert {cluster.anchor for cluster in pet.album.clusters.values()} <= {None}


def test_a_new_model_version_takes_the_corrections_along():
    pet = album()
    corrected(pet, 2, Split(FIRST, ["g0-0", "g0-1"]), Rename(FIRST, "rest"), SetHero(SECOND, "g1-3"))
    off = pet.cluster_of("g0-0")

    for number, name in enumerate(sorted(group(0, 5) | group(1, 4))):
        vector = direction(int(name[1]), 0.3, int(name[-1]))
        pet.apply(job(3 + number, insight(name, vector), model_version="m@2"))
    pet.apply(job(30, force=True))

    apart = {frozenset(members) for members in images(pet).values()}
    assert {frozenset(group(0, 2)), frozenset(group(0, 5) - group(0, 2))} <= apart
    assert next(c["label"] for c in pet.clusters if "g0-2" in [m["image_id"] for m in c["members"]]) == "rest"
    assert next(c["hero_image_id"] for c in pet.clusters if "g1-3" in [m["image_id"] for m in c["members"]]) == "g1-3"
    corrected(pet, 31, Rename(off, "found by its old id"))
    assert next(c["label"] for c in pet.clusters if c["id"] == pet.cluster_of("g0-0")) == "found by its old id"


def test_a_move_to_a_profile_takes_the_corrections_along():
    pet = album()
    corrected(pet, 2, Split(FIRST, ["g0-0", "g0-1"]), Merge([SECOND, THIRD]), SetHero(SECOND, "g2-2"))
    fleet = [direction(n % 20, 0.3, n) for n in range(400)]
    sample = [Sampled(None, {"embedding": (v / np.linalg.norm(v)).astype("<f2").tobytes()}) for v in fleet]
    profile = learn("m@1", sample)
    expected = images(pet)

    jobs, profiles = [job(3, *photos({3: 2}))], Profiles({("m@1", 1): profile}, {"m@1": 1})
    applied = apply(pet.album, jobs, pet.rows(), pet.params, START_MS, profiles=profiles, complete=True)

    assert [space.profile for space in applied.album.spaces.values()] == [1]
    pet.album = applied.album
    assert images(pet) == expected
    assert pet.clusters[1]["hero_image_id"] == "g2-2"


def test_clusters_of_two_model_versions_become_one_when_their_images_are_of_one():
    pet = Pet()
    pet.apply(job(1, *photos([3])))
    pet.apply(job(2, *(insight(f"g1-{n}", direction(1, 0.3, n)) for n in range(3)), model_version="m@2"))
    corrected(pet, 3, Merge([FIRST, SECOND]))
    assert len(pet.clusters) == 2

    pet.apply(job(4, *photos([3]), model_version="m@2"))

    assert [cluster["size"] for cluster in pet.clusters] == [6]


def test_to_merge_two_corrected_clusters_merges_them_under_every_model_version():
    pet = album()
    corrected(pet, 2, Rename(FIRST, "a"), Rename(SECOND, "b"))
    for at in range(2):
        pet.apply(job(3 + at, insight(f"g{at}-0", direction(at)), model_version="m@2"))
    assert pet.cluster_of("g0-0") != pet.cluster_of("g1-0")

    corrected(pet, 5, Merge([FIRST, SECOND]))

    assert pet.cluster_of("g0-0") == pet.cluster_of("g1-0") != FIRST
    assert pet.cluster_of("g0-1") == pet.cluster_of("g1-1") == FIRST
    pet.reload()


def test_what_a_split_founds_stays_within_the_cap():
    pet = Pet(Params(max_cells=12, merge_threshold=-10.0))
    pet.apply(job(1, *photos([60])))
    pet.apply(job(2, force=True))
    (cluster,) = pet.members()

    corrected(pet, 3, Split(cluster, [f"g0-{n}" for n in range(30)]))

    assert len(pet.album.cells) <= pet.params.cells_of(60)
    assert [c["size"] for c in pet.clusters] == [30, 30]
