"""What is split off is a cluster of its own with a new id: exactly those photos, whatever is grouped anew with it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sploot_clusterd.engine import JobStatus, Params
from sploot_clusterd.model import Rename, SetHero, Split
from tests.engine.corrected import FIRST, SECOND, album, corrected, group
from tests.engine.fleets import at_hand, profile
from tests.engine.pet import Pet, direction, insight, job, photos

NEAR = [
    ("i1", [-1.3, 1.2, -0.5]),
    ("i2", [-1.1, 1.4, -0.9]),
    ("i3", [0.1, 0.2, -0.1]),
    ("i4", [-1.1, 1.6, -0.4]),
]


def of_two():
    """Two clusters; the second would take i3 in if it was free to go."""
    pet = Pet()
    pet.apply(job(1, insight("i0", [0.7, 0.8, -0.2])))
    pet.apply(job(2, *(insight(name, vector) for name, vector in NEAR)))
    members = {cluster: sorted(names) for cluster, names in pet.members().items()}
    assert members == {FIRST: ["i0", "i3"], SECOND: ["i1", "i2", "i4"]}
    return pet


@pytest.mark.parametrize("more", [{}, {"force": True}, {"added": [insight("far", [0.0, -1.0, -9.0])]}])
def test_photos_that_are_split_off_join_no_other_cluster(more):
    pet = of_two()

    corrected(pet, 3, Split(FIRST, ["i3"]), **more)

    assert pet.cluster_of("i3") == "pet_123-cluster-2"
    assert {cluster: set(names) - {"far"} for cluster, names in pet.members().items() if names != ["far"]} == {
        FIRST: {"i0"},
        SECOND: {"i1", "i2", "i4"},
        "pet_123-cluster-2": {"i3"},
    }
    pet.apply(job(4, force=True))
    assert "i3" in pet.members()["pet_123-cluster-2"]
    assert pet.members()[FIRST] == ["i0"]


def test_nor_do_others_join_them_when_cells_are_merged_at_the_cap():
    pet = Pet(Params(max_cells=12, rebuild_least=10**6))
    pet.apply(job(1, *photos([6, 6])))
    home = pet.cluster_of("g0-0")

    corrected(pet, 2, Split(home, ["g0-0", "g0-1"]), added=[insight(f"far-{n}", direction(9 + n)) for n in range(6)])

    assert sorted(pet.members()[pet.cluster_of("g0-0")]) == ["g0-0", "g0-1"]


def test_a_cluster_that_is_split_off_whole_keeps_id_name_and_hero():
    pet = album()
    corrected(pet, 2, Rename(FIRST, "beach"), SetHero(FIRST, "g0-3"))

    corrected(pet, 3, Split(FIRST, sorted(group(0, 5))))

    (cluster,) = [cluster for cluster in pet.clusters if cluster["id"] == FIRST]
    assert (cluster["label"], cluster["hero_image_id"], cluster["size"]) == ("beach", "g0-3", 5)
    assert len(pet.clusters) == 3


def test_one_of_a_version_that_is_split_off_whole_parts_from_those_of_others():
    pet = album()
    corrected(pet, 2, Rename(FIRST, "beach"))
    for n in range(3):
        pet.apply(job(10 + n, insight(f"g0-{n}", direction(0, 0.3, n)), model_version="m@2"))
    other = pet.cluster_of("g0-0")
    assert other != FIRST

    corrected(pet, 20, Split(other, ["g0-0", "g0-1", "g0-2"]))
    for n in (3, 4):
        pet.apply(job(20 + n, insight(f"g0-{n}", direction(0, 0.3, n)), model_version="m@2"))

    assert set(pet.members()[other]) == {"g0-0", "g0-1", "g0-2"}
    assert set(pet.members()[FIRST]) == {"g0-3", "g0-4"}
    assert [cluster["label"] for cluster in pet.clusters if cluster["id"] in {FIRST, other}] == ["beach", "beach"]


vectors = st.tuples(*[st.sampled_from([-1.0, -0.9, -0.4, -0.1, 0.1, 0.4, 0.9])] * 3)


@given(
    st.lists(st.lists(vectors, min_size=1, max_size=6), min_size=1, max_size=5),
    st.lists(st.integers(0, 9), min_size=1, max_size=4),
    st.integers(0, 9),
    st.sampled_from(["alone", "force", "moves", "photos"]),
    st.sampled_from([Params(), Params(max_cells=10, rebuild_least=3), Params(min_cluster_size=3)]),
)
@settings(max_examples=100, deadline=None)
def test_a_split_gives_exactly_what_was_asked_for(history, some, which, beside, params):
    pet = Pet(params)
    for number, images in enumerate(history):
        pet.apply(job(number, *(insight(f"i{number}-{n}", vector) for n, vector in enumerate(images))))
    if not pet.clusters:
        return
    before = {cluster: set(names) for cluster, names in pet.members().items()}
    cluster = sorted(before)[which % len(before)]
    asked = {sorted(before[cluster])[n % len(before[cluster])] for n in some}
    if beside == "moves":
        pet.profiles = at_hand(profile(1, embedding=3))
    added = [insight(f"new-{n}", vector) for n, vector in enumerate(history[0])] if beside == "photos" else []

    (outcome,) = pet.apply(
        job(50, *added, corrections=[Split(cluster, sorted(asked))], force=beside == "force")
    ).outcomes

    if outcome.status is JobStatus.REJECTED:
        assert outcome.error.reason == "invalid"
        return
    there = {known: {name for name in names if "new" not in name} for known, names in pet.members().items()}
    home = pet.cluster_of(min(asked))
    assert there[home] == asked
    assert (home == cluster) == (asked == before[cluster])
    assert home == cluster or home not in before
