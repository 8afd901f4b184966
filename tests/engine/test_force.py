"""`force`: it needs every row, and one reclustering serves all jobs of a call that ask for it."""

import pytest

from sploot_clusterd.engine import JobStatus, NeedsAllRowsError, Params, apply
from sploot_clusterd.model import Rename, SetHero, Split
from tests.engine.pet import Pet, direction, insight, job, photos

QUIET = Params(rebuild_least=10**6)


def album():
    """Three groups, where only `force` rebuilds."""
    pet = Pet(QUIET)
    pet.apply(job(1, *photos([4, 4, 4])))
    return pet


def test_each_takes_its_place_where_something_came_between():
    pet, apart = album(), album()
    jobs = [job(2, force=True), job(3, *photos({3: 5})), job(4, force=True), job(5, *photos({4: 5}))]

    applied = pet.apply(*jobs)
    for each in jobs:
        apart.apply(each)

    assert applied.changes.rebuilt == 2
    assert pet.clusters == apart.clusters
    assert pet.rows() == apart.rows()
    (space,) = pet.album.spaces.values()
    assert (space.partitioned, space.moved) == (17, 5)


def test_a_rejected_job_does_not_take_the_others_away():
    pet = album()
    cells = set(pet.album.cells)

    applied = pet.apply(job(2, force=True), job(3, insight("bad", [1.0]), force=True))

    assert [outcome.status for outcome in applied.outcomes] == [JobStatus.APPLIED, JobStatus.REJECTED]
    assert applied.changes.rebuilt == 1
    assert cells.isdisjoint(pet.album.cells)


def test_a_rejected_job_alone_forces_nothing():
    pet = album()

    applied = pet.apply(job(2, insight("bad", [1.0]), force=True))

    assert applied.changes.rebuilt == 0
    assert not applied.changed
    assert pet.loaded_all == 0


def test_a_copy_in_the_same_call_does_not_force_again():
    pet = album()
    first, other = job(2, force=True), job(3, *photos({3: 5}))

    applied = pet.apply(first, other, first)

    assert [outcome.status for outcome in applied.outcomes] == [
        JobStatus.APPLIED,
        JobStatus.APPLIED,
        JobStatus.REPEATED,
    ]
    assert applied.changes.rebuilt == 1
    (space,) = pet.album.spaces.values()
    assert (space.partitioned, space.moved) == (12, 5)


def test_a_second_copy_forces_where_the_first_was_rejected():
    pet = Pet(QUIET)
    pet.apply(job(1, insight("only", [1.0, 2.0])))
    asked = job(2, insight("new", direction(0)), force=True)

    applied = pet.apply(asked, job(3, removed=["only"]), asked)

    assert [outcome.status for outcome in applied.outcomes] == [
        JobStatus.REJECTED,
        JobStatus.APPLIED,
        JobStatus.APPLIED,
    ]
    assert applied.changes.rebuilt == 1
    assert pet.view["unclustered"] == ["new"]


def test_it_needs_every_row_as_soon_as_one_job_asks():
    pet = album()

    with pytest.raises(NeedsAllRowsError):
        apply(pet.album, [job(2, force=True), job(3, image_ids=["bare"])], {}, pet.params, 0)


def test_force_needs_every_row_and_keeps_every_image():
    pet = Pet()
    pet.apply(job(1, *photos([5, 5, 5]), image_ids=["bare"]))
    before = sorted(map(sorted, pet.members().values()))
    with pytest.raises(NeedsAllRowsError):
        apply(pet.album, [job(2, force=True)], {}, pet.params, 0)

    applied = pet.apply(job(2, force=True))

    assert applied.changes.rebuilt >= 1
    assert sorted(map(sorted, pet.members().values())) == before
    pet.reload()
    pet.apply(job(3, removed=["g0-0", "g1-0"]))
    assert pet.view["metrics"]["num_images"] == 14


def test_corrections_behind_many_are_what_they_are_one_by_one():
    pets = [Pet(Params(merge_threshold=-10.0)) for _ in range(2)]
    for pet in pets:
        pet.apply(job(1, *photos([6, 5, 4])))
        pet.apply(job(2, force=True))
        pet.params = Params()
    (shown,) = pets[0].members()
    jobs = [job(3 + n, *photos({5 + n: 3}), force=True) for n in range(3)]
    jobs += [
        job(10, corrections=[Split(shown, ["g0-0", "g0-1"])], force=True),
        job(11, corrections=[SetHero(shown, "g0-2")]),
        job(12, corrections=[Rename(shown, "all")]),
    ]

    together = pets[0].apply(*jobs).outcomes
    apart = [pets[1].apply(each).outcomes[0] for each in jobs]

    assert [outcome.status for outcome in together] == [outcome.status for outcome in apart] == [JobStatus.APPLIED] * 6
    assert pets[0].clusters == pets[1].clusters
    assert sorted(pets[0].members()[pets[0].cluster_of("g0-0")]) == ["g0-0", "g0-1"]
