"""Corrections are of the album as it was shown: what moves or groups images anew because of their job comes after."""

import pytest

from sploot_clusterd.engine import JobStatus, Params
from sploot_clusterd.model import Merge, Move, Rename, SetHero, Split
from tests.engine.corrected import FIRST, SECOND, THIRD, album, group
from tests.engine.fleets import at_hand, profile
from tests.engine.pet import Pet, direction, insight, job, photos

ALL = group(0, 6) | group(1, 5) | group(2, 4)
FAR = [insight(f"far-{n}", direction(9 + n % 3, 0.3, n)) for n in range(9)]
AGAIN = [insight(f"g1-{n}", direction(12, 0.1, n)) for n in range(5)]
CARRIED = {
    "nothing": {},
    "force": {"force": True},
    "new photos": {"images": FAR},
    "photos sent again, as others": {"images": AGAIN},
    "another model version": {"images": photos([6, 5, 4]), "model_version": "m@2"},
}


def together_once():
    """One cluster that any regrouping takes apart: it was built by another threshold."""
    pet = Pet(Params(merge_threshold=-10.0))
    pet.apply(job(1, *photos([6, 5, 4])))
    pet.apply(job(2, force=True))
    assert list(pet.members()) == [FIRST]
    pet.params = Params()
    return pet


def by_anchor(pet):
    """The images of each corrected cluster, whatever their model versions, and those of the others."""
    found = {}
    for cluster in pet.album.clusters.values():
        names = {m.image_id for cell in cluster.cells for m in pet.album.cells[cell].members}
        found.setdefault(("free", cluster.key) if cluster.anchor is None else cluster.anchor, set()).update(names)
    return found


@pytest.mark.parametrize("moves", [False, True])
@pytest.mark.parametrize("carried", CARRIED)
@pytest.mark.parametrize(
    "said", [Split(FIRST, ["g1-0", "g1-1"]), SetHero(FIRST, "g2-1"), Rename(FIRST, "all"), Move(["g1-1"], FIRST)]
)
def test_a_correction_is_of_the_clusters_that_were_shown(moves, carried, said):
    pet = together_once()
    if moves:
        pet.profiles = at_hand(profile(1, embedding=32))
    more = dict(CARRIED[carried])

    (outcome,) = pet.apply(job(4, *more.pop("images", ()), corrections=[said], **more)).outcomes

    assert outcome.status is JobStatus.APPLIED
    members = [names & ALL for names in by_anchor(pet).values() if names & ALL]
    match said:
        case Split():
            assert sorted(members, key=len) == [{"g1-0", "g1-1"}, ALL - {"g1-0", "g1-1"}]
        case SetHero():
            assert "g2-1" in {cluster["hero_image_id"] for cluster in pet.clusters}
        case _:
            assert members == [ALL]


def test_it_may_speak_of_the_photos_that_come_with_it():
    pet = together_once()
    pet.profiles = at_hand(profile(1, embedding=32))
    said = [Move(["far-0"], FIRST), Split(FIRST, ["g1-0", "far-0"])]

    (outcome,) = pet.apply(job(3, *FAR, force=True, corrections=said)).outcomes

    assert outcome.status is JobStatus.APPLIED
    assert set(pet.members()[pet.cluster_of("g1-0")]) & (ALL | {"far-0"}) == {"g1-0", "far-0"}
    assert set(pet.members()[FIRST]) >= ALL - {"g1-0"}
    assert next(space.profile for space in pet.album.spaces.values()) == 1


def test_of_two_corrections_the_later_one_counts_whatever_they_wait_for():
    pet = album()
    new = insight("new", direction(9))

    pet.apply(
        job(2, new), job(3, corrections=[Move(["new", "g0-0"], SECOND)]), job(4, corrections=[Move(["g0-0"], THIRD)])
    )

    assert (pet.cluster_of("new"), pet.cluster_of("g0-0")) == (SECOND, THIRD)


def test_the_cap_on_cells_waits_too_and_is_kept():
    pet = Pet(Params(max_cells=12, merge_threshold=-10.0))
    pet.apply(job(1, *photos([4, 4, 4])))
    pet.apply(job(2, force=True))
    pet.params = Params(max_cells=12)
    said = [Move(["far-0"], FIRST), Split(FIRST, ["g0-0"]), Split(FIRST, ["g1-0", "g2-0"])]

    applied = pet.apply(job(3, *FAR, corrections=said))

    assert [outcome.status for outcome in applied.outcomes] == [JobStatus.APPLIED]
    assert len(pet.album.cells) <= 12
    assert pet.members()[pet.cluster_of("g0-0")] == ["g0-0"]
    assert sorted(pet.members()[pet.cluster_of("g1-0")]) == ["g1-0", "g2-0"]


def test_what_was_stale_when_it_was_shown_is_stale():
    pet = album()
    pet.apply(job(2, removed=["g2-0", "g2-1", "g2-2"]))
    pet.profiles = at_hand(profile(1, embedding=32))
    stale = [Split(FIRST, ["g1-0"]), Rename(THIRD, "gone"), SetHero(FIRST, "g1-0"), Merge([FIRST, "pet_123-cluster-9"])]

    applied = pet.apply(*(job(3 + n, *FAR, corrections=[said], force=True) for n, said in enumerate(stale)))

    assert [outcome.error.reason for outcome in applied.outcomes] == ["stale_correction"] * 4
    assert not any(name.startswith("far") for name in pet.rows())


def test_a_job_that_is_refused_for_its_images_corrects_nothing():
    pet, clean = album(), album()
    refused = job(2, insight("bad", [1.0]), corrections=[Merge([FIRST, SECOND])])
    others = [job(3, *FAR), job(4, corrections=[Rename(THIRD, "x")])]

    applied = pet.apply(refused, *others)
    clean.apply(*others)

    assert [outcome.status.value for outcome in applied.outcomes] == ["rejected", "applied", "applied"]
    assert pet.fields == clean.fields
