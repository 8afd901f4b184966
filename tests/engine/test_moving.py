"""Albums under profiles: a new space adopts the current one, an older space moves to it with all it holds."""

from dataclasses import replace

import numpy as np
import pytest

from sploot_clusterd.engine import (
    JobStatus,
    NeedsAllRowsError,
    NeedsProfileError,
    Params,
    Profiles,
    apply,
    render,
)
from sploot_clusterd.engine.rows import decode_row
from tests.engine.fleets import MODEL, at_hand, profile
from tests.engine.histories import grouping
from tests.engine.moves import EVERY_KIND, came, check, empty, fleet, generations, learned, stored_sizes
from tests.engine.pet import Pet, direction, insight, job, photos
from tests.engine.synthetic import Fleet


@pytest.mark.parametrize("lengths", [{"embedding": 64}, {"embedding": 512}, {"embedding": 1280}, EVERY_KIND])
@pytest.mark.parametrize("settled", [False, True])
def test_an_album_moves_with_all_its_images_and_keeps_its_ids(lengths, settled):
    some, album = fleet(**lengths)
    pet, straight = Pet(), Pet()
    came(pet, album)
    before = pet.members()

    pet.profiles = straight.profiles = at_hand(learned(some, settled=settled))
    applied = pet.apply(job(9000, image_ids=["bare"]))
    came(straight, album)

    assert generations(pet) == generations(straight) == {MODEL: 1}
    assert set(applied.rows) >= set(pet.rows()), "every row names another cell"
    assert pet.view["metrics"]["num_images"] == len(album) + 1
    after = {image: cluster for cluster, images in pet.members().items() for image in images}
    kept = [
        cluster for cluster, images in before.items() if sum(after.get(i) == cluster for i in images) > len(images) / 2
    ]
    assert len(kept) >= 0.6 * len(before), "ids go on where clusters do"
    assert stored_sizes(pet) == stored_sizes(straight)
    check(pet)
    check(straight)
    empty(pet)
    empty(straight)


def test_a_new_space_adopts_and_the_older_one_stays_if_it_may_not_move():
    one, two = profile(1, embedding=32), replace(profile(1, embedding=32), model_version="m@2")
    pet = Pet(profiles=at_hand(one))
    pet.apply(job(1, *photos([4, 4])))
    assert generations(pet) == {MODEL: 1}

    pet.profiles = Profiles({**pet.profiles.known, ("m@2", 1): two}, {"m@2": 1})
    applied = pet.apply(job(2, *photos({2: 4, 3: 4}), model_version="m@2"))
    pet.apply(job(3, *photos({4: 4}), model_version="m@3"))

    assert generations(pet) == {MODEL: 1, "m@2": 1, "m@3": 0}
    assert applied.changes.images_added == 8
    assert len(pet.clusters) == 5
    check(pet)
    empty(pet)


def test_only_the_space_of_the_model_version_that_has_a_new_profile_is_stored_anew():
    pet = Pet()
    pet.apply(job(1, *photos([4, 4]), model_version="m@2"))
    pet.apply(job(2, *photos({2: 4})))
    data = {name: decode_row(raw).vectors.data for name, raw in pet.rows().items()}

    pet.profiles = at_hand(profile(settled=True, embedding=32))
    pet.apply(job(3, *photos({3: 1})))

    assert generations(pet) == {"m@2": 0, MODEL: 1}
    same = {name for name in data if decode_row(pet.rows()[name]).vectors.data == data[name]}
    assert same == {name for name in data if not name.startswith("g2")}
    check(pet)


def test_a_move_needs_every_row_and_staying_does_not():
    pet = Pet()
    pet.apply(job(1, *photos([4, 4])))
    profiles = at_hand(profile(embedding=32))
    jobs = [job(2, insight("new", direction(0)))]

    with pytest.raises(NeedsAllRowsError):
        apply(pet.album, jobs, {}, pet.params, 0, profiles=profiles)
    stays = apply(pet.album, jobs, {}, pet.params, 0, profiles=profiles._replace(adopt={"other": 1}))

    assert {space.profile for space in stays.album.spaces.values()} == {0}


def test_an_album_needs_the_profile_that_it_was_built_with_and_the_one_that_it_moves_to():
    pet = Pet(profiles=at_hand(profile(3, embedding=32)))
    pet.apply(job(1, *photos([4])))
    new = job(2, insight("new", direction(0)))

    with pytest.raises(NeedsProfileError) as own:
        apply(pet.album, [new], {}, pet.params, 0)
    with pytest.raises(NeedsProfileError) as next_one:
        apply(
            pet.album, [new], pet.rows(), pet.params, 0, profiles=pet.profiles._replace(adopt={MODEL: 4}), complete=True
        )

    assert (own.value.model_version, own.value.generation) == (MODEL, 3)
    assert (next_one.value.model_version, next_one.value.generation) == (MODEL, 4)
    assert render(pet.album, pet.params), "a reader needs none"


def test_an_album_goes_from_a_growing_profile_to_a_settled_one_and_on_to_an_imported_one():
    some, album = fleet(embedding=64)
    growing = learned(some)
    settled = learned(some, settled=True, generation=2)
    imported = replace(learned(Fleet(64, seed=0, near=(0.5, 0.6)), settled=True), generation=3)
    pet = Pet(profiles=at_hand(growing))
    came(pet, album)
    before = grouping(pet)
    sizes = []
    for last in (settled, imported):
        pet.profiles = at_hand(growing, settled, imported, adopt=last.generation)
        pet.apply(job(9000 + last.generation, image_ids=["bare"]))
        sizes.append(stored_sizes(pet))
        assert generations(pet) == {MODEL: last.generation}
        check(pet)

    assert sizes == [{4 + settled.kinds["embedding"].dimension}, {4 + imported.kinds["embedding"].dimension}]
    alike = sum(len(group) for group in grouping(pet) if group in before)
    assert alike > 0.5 * len(album)
    empty(pet)


def test_to_move_twice_is_to_move_once():
    some, album = fleet(embedding=64)
    first, second = learned(some), replace(learned(Fleet(64, seed=0, near=(0.5, 0.6))), generation=2)
    once, twice, by_job = Pet(), Pet(), Pet()
    for pet in (once, twice, by_job):
        came(pet, album)
    known = at_hand(first, second)

    twice.profiles = known._replace(adopt={MODEL: 1})
    twice.apply(job(9000, labels=["A"]))
    for pet in (once, twice, by_job):
        pet.profiles = known
        pet.apply(job(9001, labels=["B"]))
    again = by_job.apply(job(9002, labels=["C"]))

    assert grouping(once) == grouping(twice)
    assert {name: decode_row(raw).vectors.data for name, raw in once.rows().items()} == {
        name: decode_row(raw).vectors.data for name, raw in twice.rows().items()
    }
    assert again.changes.rebuilt == 0
    assert not again.rows
    assert not any(name.startswith(b"c") for name in again.writes)


def test_a_repeated_job_moves_an_album_once_and_changes_nothing_else():
    pet = Pet()
    first = job(1, *photos([4, 4, 4]))
    pet.apply(first)
    pet.profiles = at_hand(profile(embedding=32))

    moved = pet.apply(first)
    again = pet.apply(first)

    assert [outcome.status for outcome in (*moved.outcomes, *again.outcomes)] == [JobStatus.REPEATED] * 2
    assert (moved.changed, again.changed) == (True, False)
    assert generations(pet) == {MODEL: 1}
    assert (again.writes, again.deletes) == ({}, [])


def test_a_rejected_job_does_not_keep_an_album_from_moving():
    pet = Pet()
    pet.apply(job(1, *photos([4, 4])))
    pet.profiles = at_hand(profile(embedding=32))

    applied = pet.apply(job(2, insight("bad", [1.0])))

    assert applied.outcomes[0].status is JobStatus.REJECTED
    assert applied.changed
    assert generations(pet) == {MODEL: 1}
    check(pet)


@pytest.mark.parametrize("settled", [False, True])
def test_a_profile_of_other_lengths_is_not_adopted_by_a_new_album(settled):
    pet = Pet(profiles=at_hand(profile(settled=settled, embedding=32)))

    for force in (False, True):
        applied = pet.apply(job(1 + force, insight(f"short-{force}", [1.0, 2.0]), force=force))
        assert applied.outcomes[0].error is None
        assert {space.profile for space in applied.album.spaces.values()} == {0}


def test_force_and_a_move_are_one_reclustering():
    pet = Pet()
    pet.apply(job(1, *photos([4, 4, 4])))
    pet.profiles = at_hand(profile(settled=True, embedding=32))

    applied = pet.apply(job(2, force=True))

    assert generations(pet) == {MODEL: 1}
    assert applied.changes.images_updated == 0
    assert sorted(map(sorted, pet.members().values())) == [[f"g{g}-{n}" for n in range(4)] for g in range(3)]
    check(pet)


def test_a_kind_that_comes_after_a_move_widens_the_space():
    pet = Pet(profiles=at_hand(profile(settled=True, embedding=32, pose=6)))
    pet.apply(job(1, *photos([4, 4])))
    pet.apply(job(2, *(insight(f"posed-{n}", direction(2, 0.3, n), pose=np.eye(6)[n % 2]) for n in range(4))))
    pet.apply(job(3, *(insight(f"other-{n}", direction(3, 0.3, n), context=np.ones(3)) for n in range(4))))
    (space,) = pet.album.spaces.values()

    assert space.layout == (("embedding", 32), ("pose", 6), ("context", 3))
    assert len(stored_sizes(pet)) == 3
    check(pet)
    pet.profiles = at_hand(*pet.profiles.known.values(), replace(profile(settled=True, embedding=32), generation=2))
    pet.apply(job(4, force=True))
    assert len(stored_sizes(pet)) == 1
    check(pet)
    empty(pet)


def test_an_image_leads_from_one_model_version_to_the_next_in_the_middle_of_the_stream():
    new = replace(profile(settled=True, embedding=24), model_version="m@2")
    pet = Pet(profiles=Profiles({(MODEL, 1): profile(embedding=32), ("m@2", 1): new}, {MODEL: 1, "m@2": 1}))
    pet.apply(job(1, *photos([4, 4])))

    again = [insight(f"g0-{n}", direction(0, 0.3, n, dimension=24)) for n in range(4)]
    pet.apply(job(2, *again, model_version="m@2"))

    assert generations(pet) == {MODEL: 1, "m@2": 1}
    assert sorted(map(sorted, pet.members().values())) == [[f"g{g}-{n}" for n in range(4)] for g in range(2)]
    check(pet)
    pet.apply(job(3, removed=[f"g1-{n}" for n in range(4)]))
    assert generations(pet) == {"m@2": 1}
    empty(pet)


@pytest.mark.parametrize("settled", [False, True])
@pytest.mark.parametrize("algorithm", ["mixture", "average_linkage"])
def test_any_algorithm_moves(algorithm, settled):
    some, album = fleet(embedding=64)
    pet = Pet(Params(algorithm=algorithm, max_cells=20))
    came(pet, album)

    pet.profiles = at_hand(learned(some, settled=settled))
    pet.apply(job(9000, image_ids=["bare"]))

    assert generations(pet) == {MODEL: 1}
    check(pet)
    empty(pet)
