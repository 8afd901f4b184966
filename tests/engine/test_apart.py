"""Users say that two clusters are two, and that photos belong where they are: it holds, and it is remembered."""

import msgspec
import pytest

from sploot_clusterd.engine import Params, decode_album
from sploot_clusterd.engine.apart import told_apart
from sploot_clusterd.model import Apart, Merge, Move, Rename, Split, Stay
from tests.engine.corrected import EVERY, FIRST, SECOND, THIRD, album, corrected, group, images, refused, stir
from tests.engine.fleets import at_hand, profile
from tests.engine.pet import direction, insight, job

MERGES_ALL = Params(merge_threshold=-10.0)


@pytest.mark.parametrize("params", EVERY)
def test_two_clusters_stay_two_whatever_comes_later(params):
    pet = album(params)

    corrected(pet, 2, Apart([FIRST, SECOND]))
    stir(pet, 3)

    homes = images(pet)
    assert group(0, 5) <= homes[FIRST]
    assert group(1, 4) <= homes[SECOND]


def test_two_clusters_stay_two_where_everything_else_is_merged():
    pet = album()
    corrected(pet, 2, Apart([FIRST, SECOND]))

    pet.params = MERGES_ALL
    pet.apply(job(3, force=True))

    homes = pet.members()
    assert group(0, 5) <= set(homes[FIRST])
    assert group(1, 4) <= set(homes[SECOND])
    assert len(homes) == 2


def test_they_stay_two_under_another_profile_and_for_photos_that_come_later():
    pet = album()
    corrected(pet, 2, Apart([FIRST, SECOND]))

    pet.profiles = at_hand(profile(1, embedding=32))
    pet.apply(job(3, insight("g0-9", direction(0, 0.3, 9)), insight("g1-9", direction(1, 0.3, 9))))

    homes = pet.members()
    assert {*group(0, 5), "g0-9"} <= set(homes[FIRST])
    assert {*group(1, 4), "g1-9"} <= set(homes[SECOND])


def test_what_stays_in_its_cluster_is_there_whatever_comes_later():
    pet = album()
    corrected(pet, 2, Move(["g1-0"], FIRST))
    corrected(pet, 3, Stay(FIRST, ["g1-0", "g2-0"]), Stay(SECOND, ["g1-1"]))

    stir(pet, 4)

    homes = images(pet)
    assert {*group(0, 5), "g1-0"} <= homes[FIRST]
    assert {"g1-1", "g1-2", "g1-3"} <= homes[SECOND]


def test_a_photo_that_stays_keeps_its_place_when_it_is_sent_again():
    pet = album()
    corrected(pet, 2, Stay(FIRST, ["g0-0"]))

    pet.apply(job(3, insight("g0-0", direction(1, 0.3, 50))))
    pet.apply(job(4, force=True))

    assert pet.cluster_of("g0-0") == FIRST


def test_what_is_not_there_any_more_is_refused():
    pet = album()
    corrected(pet, 2, Merge([FIRST, SECOND]), Stay(THIRD, ["g2-0"]))

    assert "they are one cluster now" in refused(pet, 3, Apart([FIRST, SECOND]))[1]
    assert "none of these images is in the cluster" in refused(pet, 3, Stay(FIRST, ["g2-0"]))[1]
    assert "the pet never had" in refused(pet, 3, Apart([FIRST, "pet_123-cluster-9"]))[1]


def test_clusters_of_two_versions_that_were_one_are_two():
    pet = album()
    corrected(pet, 2, Rename(FIRST, "beach"))
    for number in range(2):
        again = insight(f"g0-{number}", direction(0, 0.3, number))
        pet.apply(job(10 + number, again, model_version="m@2"))
    newer = pet.cluster_of("g0-0")
    assert newer != FIRST

    corrected(pet, 20, Apart([FIRST, newer]))
    for number in (2, 3, 4):
        pet.apply(job(20 + number, insight(f"g0-{number}", direction(0, 0.3, number)), model_version="m@2"))

    assert set(pet.members()[newer]) == {"g0-0", "g0-1"}
    assert set(pet.members()[FIRST]) == {"g0-2", "g0-3", "g0-4"}


def anchors(pet, *clusters):
    numbers = [int(cluster.rpartition("-")[2]) for cluster in clusters]
    by_number = {each.number: each.anchor for each in pet.album.clusters.values()}
    return tuple(sorted(by_number[number] for number in numbers))


def test_who_is_not_one_is_remembered():
    pet = album()
    corrected(pet, 2, Apart([SECOND, FIRST]))
    corrected(pet, 3, Split(THIRD, ["g2-0"]))
    corrected(pet, 4, Move(["g0-0"], THIRD))

    parted = pet.cluster_of("g2-0")
    pairs = {anchors(pet, FIRST, SECOND), anchors(pet, THIRD, parted), anchors(pet, FIRST, THIRD)}
    assert told_apart(pet.reload()) == pairs


def test_who_is_one_after_all_is_forgotten_and_takes_along_what_it_is_apart_from():
    pet = album()
    corrected(pet, 2, Apart([FIRST, SECOND]), Apart([SECOND, THIRD]))

    corrected(pet, 3, Merge([FIRST, SECOND]))

    assert told_apart(pet.album) == {anchors(pet, FIRST, THIRD)}
    corrected(pet, 4, Merge([FIRST, THIRD]))
    assert told_apart(pet.album) == set()
    assert b"apart" not in pet.fields


def test_pairs_go_with_the_last_photo_of_either():
    pet = album()
    corrected(pet, 2, Apart([FIRST, SECOND]), Apart([SECOND, THIRD]))

    pet.apply(job(3, removed=sorted(group(0, 5))))

    held = {cluster.anchor for cluster in pet.album.clusters.values()}
    assert {pair for pair in told_apart(pet.album) if held >= set(pair)} == {anchors(pet, SECOND, THIRD)}


def test_only_the_latest_pairs_are_remembered(monkeypatch):
    monkeypatch.setattr("sploot_clusterd.engine.forgetting._MOST_PAIRS", 2)
    monkeypatch.setattr("sploot_clusterd.engine.corrections.MOST_WORDS", 0)
    pet = album()

    corrected(pet, 2, Apart([FIRST, SECOND]), Apart([SECOND, THIRD]), Apart([FIRST, THIRD]), Apart([SECOND, THIRD]))

    assert pet.album.apart == (anchors(pet, FIRST, THIRD), anchors(pet, SECOND, THIRD))


def test_albums_of_which_nobody_said_so_are_stored_as_before():
    pet = album()
    corrected(pet, 2, Rename(FIRST, "beach"), Merge([SECOND, THIRD]), Stay(FIRST, ["g0-0"]))
    assert b"apart" not in pet.fields


def test_pairs_that_a_former_version_left_of_anchors_that_are_gone_are_no_matter():
    pet = album()
    left = msgspec.msgpack.encode([(7, 9)])

    assert decode_album("pet_123", {**pet.tables(), b"apart": left}).apart == ()
