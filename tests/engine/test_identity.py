"""Cluster ids: rising, never given twice, kept over rebuilds, merges and splits."""

import pytest

from sploot_clusterd.engine import Params
from sploot_clusterd.engine.maintain import inherit
from tests.engine.pet import Pet, direction, insight, job, photos


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [
        ({(1, 0): 5, (2, 1): 5}, {0: 1, 1: 2}),
        ({(1, 0): 5, (2, 0): 9}, {0: 2}),
        ({(1, 0): 5, (2, 0): 5}, {0: 1}),
        ({(7, 0): 3, (7, 1): 8}, {1: 7}),
        ({(7, 0): 4, (7, 1): 4}, {0: 7}),
        ({(1, 0): 6, (1, 1): 4, (2, 1): 3}, {0: 1, 1: 2}),
        ({(1, 0): 6, (1, 1): 4, (2, 0): 3}, {0: 1}),
        ({}, {}),
    ],
)
def test_a_group_goes_on_from_the_largest_cluster_whose_largest_part_it_holds(overlap, expected):
    assert inherit(overlap) == expected


def test_ids_rise_and_are_never_given_twice():
    pet = Pet()
    seen = set()
    for number in range(6):
        pet.apply(job(2 * number, *photos({number % 3: 3})))
        fresh = set(pet.members())
        assert len(fresh) == 1
        assert not fresh & seen
        seen |= fresh
        pet.apply(job(2 * number + 1, removed=[f"g{number % 3}-{n}" for n in range(3)]))
        assert pet.clusters == []

    assert seen == {f"pet_123-cluster-{number}" for number in range(6)}


def test_clusters_come_in_the_order_of_their_numbers_and_only_when_large_enough():
    pet = Pet(Params(min_cluster_size=3))
    pet.apply(job(1, *photos([2, 3])))
    assert list(pet.members()) == ["pet_123-cluster-0"]
    assert set(pet.view["unclustered"]) == {"g0-0", "g0-1"}

    pet.apply(job(2, insight("third", direction(0, 0.3, 5))))

    assert list(pet.members()) == ["pet_123-cluster-0", "pet_123-cluster-1"]
    assert pet.cluster_of("third") == "pet_123-cluster-1"


def test_the_newest_unclustered_images_come_first():
    pet = Pet()
    for number in range(4):
        pet.apply(job(number, insight(f"lone-{number}", direction(number))))

    assert pet.view["unclustered"] == ["lone-3", "lone-2", "lone-1", "lone-0"]
    assert pet.view["metrics"]["num_unclustered"] == pet.album.unclustered_images == 4


def test_ids_survive_growth_and_rebuilds():
    pet = Pet()
    pet.apply(job(1, *photos([6, 6, 6])))
    before = {pet.cluster_of(f"g{group}-0"): group for group in range(3)}
    rebuilds = 0

    for number in range(2, 20):
        group = number % 3
        rebuilds += pet.apply(job(number, insight(f"n{number}", direction(group, 0.3, 100 + number)))).changes.rebuilt
        assert {pet.cluster_of(f"g{group}-0"): group for group in range(3)} == before

    assert rebuilds >= 1


def between(a, b, seed):
    return direction(a, 0.2, seed) + direction(b, 0.2, seed)


def test_a_merge_leaves_the_id_of_the_larger_cluster():
    pet = Pet(Params(rebuild_least=10**6))
    pet.apply(job(1, *photos([8, 4])))
    pet.apply(job(2, force=True))
    large, small = pet.cluster_of("g0-0"), pet.cluster_of("g1-0")
    assert large != small

    moved = [insight(f"g1-{n}", direction(0, 0.3, 30 + n)) for n in range(4)]
    pet.apply(job(3, *moved))

    assert set(pet.members()) == {large}
    assert pet.clusters[0]["size"] == 12


def test_a_split_leaves_the_id_with_the_larger_part():
    pet = Pet(Params(merge_threshold=-10.0))
    pet.apply(job(1, *photos([6, 3])))
    (together,) = pet.members()

    pet.params = Params()
    changes = pet.apply(job(2, force=True)).changes

    assert pet.cluster_of("g0-0") == together
    assert pet.cluster_of("g1-0") == "pet_123-cluster-1"
    assert changes.split == 1


def test_clusters_that_grow_together_are_merged_by_a_rebuild():
    pet = Pet()
    pet.apply(job(1, *photos([5, 5])))
    assert len(pet.clusters) == 2
    first, second = pet.cluster_of("g0-0"), pet.cluster_of("g1-0")

    pet.params = Params(merge_threshold=-10.0)
    changes = pet.apply(job(2, force=True)).changes

    assert set(pet.members()) == {min(first, second)}
    assert changes.merged == 1


def test_images_of_different_models_are_never_compared():
    pet = Pet()
    pet.apply(job(1, *photos([3])))
    pet.apply(job(2, *(insight(f"other-{n}", direction(0, 0.3, n)) for n in range(3)), model_version="m@2"))

    assert sorted(map(sorted, pet.members().values())) == [
        ["g0-0", "g0-1", "g0-2"],
        ["other-0", "other-1", "other-2"],
    ]

    pet.apply(job(3, *photos([3]), model_version="m@2"))
    assert len(pet.album.spaces) == 1
    assert [c["size"] for c in pet.clusters] == [6]
