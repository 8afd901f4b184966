"""All images of a cluster, gathered from rows."""

import pytest

from sploot_clusterd.engine import NO_PROFILES, Params
from sploot_clusterd.engine.members import find_cluster, provisional_members
from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.model import cluster_number
from tests.engine.fleets import at_hand, profile
from tests.engine.gathering import LOOKS, gathered, pet_of
from tests.engine.pet import START_MS, Pet, direction, insight, job


def test_each_cluster_has_all_of_its_images_and_no_others():
    pet = pet_of()
    found = set()
    for shown in pet.clusters:
        cluster, members = gathered(pet, cluster_number("pet_123", shown["id"]))
        names = {each.image_id for each in members}
        assert len(names) == len(members) == cluster.size == shown["size"] > len(shown["members"])
        assert len({name.split("-")[0] for name in names}) == 1
        assert set(pet.members()[shown["id"]]) < names
        found |= names
    assert len(found) == 60 * LOOKS


def test_an_image_that_is_unlike_the_others_fits_worst():
    pet = pet_of(count=20)
    odd = 0.7 * direction(0, 0.3, 99) + 0.3 * direction(1, 0.3, 99)
    pet.apply(job(9, insight("odd", odd, captured_ms=START_MS)))
    _, members = gathered(pet, cluster_number("pet_123", pet.cluster_of("odd")))
    fits = {each.image_id: each.fit for each in members}
    assert min(fits, key=lambda name: fits[name]) == "odd"
    assert all(-1.0 <= fit <= 1.0 for fit in fits.values())


@pytest.mark.parametrize("profiled", [False, True])
def test_it_follows_removals_and_whatever_grouped_images_anew(profiled):
    profiles = at_hand(profile(settled=True, embedding=32)) if profiled else NO_PROFILES
    pet = pet_of(count=12, profiles=profiles)
    assert (max(space.profile for space in pet.album.spaces.values()) == 1) is profiled
    pet.apply(job(7, removed=("g0-0", "g0-1")))
    pet.apply(job(8, force=True))
    _, members = gathered(pet, cluster_number("pet_123", pet.cluster_of("g0-2")))
    assert {each.image_id for each in members} == {f"g0-{n}" for n in range(2, 12)}
    assert {each.captured_ms for each in members} == {START_MS - n for n in range(2, 12)}


def test_images_without_vectors_are_listed_from_the_album():
    pet = Pet(params=Params())
    pet.apply(job(1, image_ids=("a", "b", "c"), labels=("One", "Two"), coverage={"One": 0.7, "Two": 0.3}))
    sizes = {cluster["id"]: cluster["size"] for cluster in pet.clusters}
    listed = []
    for number in range(len(sizes)):
        cluster = find_cluster(pet.album, number)
        members = provisional_members(pet.album, cluster)
        assert len(members) == sizes[f"pet_123-cluster-{number}"]
        listed += [each.image_id for each in members]
        assert {each.fit for each in members} == {None}
        assert {each.taken_ms for each in members} == {EntryId(START_MS + 1000, 0).ms}
    assert sorted(listed) == ["a", "b", "c"]


@pytest.mark.parametrize("number", [-1, 3, 99])
def test_no_other_number_is_a_cluster(number):
    assert find_cluster(pet_of(count=3).album, number) is None
