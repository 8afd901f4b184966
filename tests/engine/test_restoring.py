"""Back to an album as it was, case by case."""

import pytest

from sploot_clusterd.engine import JobStatus, NeedsSnapshotError, Params, decode_album, new_album
from sploot_clusterd.engine.rows import decode_row
from sploot_clusterd.model import Apart, Hide, Merge, Move, Rename, SetHero, Undo, Unhide
from sploot_clusterd.snapshot import Restore, Snapshot
from tests.engine.pet import Pet, direction, insight, job, photos


def back(number: int, pet: Pet, name: str, **more):
    """The job that goes back to what was kept by that name."""
    version = decode_album("pet_123", pet.snapshots[name].fields).version if pet.snapshots.get(name) else 1
    return job(number, restore=Restore(version, name), model_version=None, **more)


def names(pet: Pet) -> set[str]:
    return {name for name, raw in pet.rows().items() if decode_row(raw).exists}


def cluster(pet: Pet, number: int) -> str:
    return f"{pet.album.pet_id}-cluster-{number}"


@pytest.fixture
def pet() -> Pet:
    """Three clusters of five photos."""
    pet = Pet()
    pet.apply(job(1, *photos([5, 5, 5]), labels=("Portraits", "Action Shots", "Asleep")))
    return pet


def test_what_one_bad_job_did_is_as_if_it_never_was(pet: Pet):
    name, before = pet.snapshot(), pet.clusters
    wrong = [insight(f"g{n % 3}-{n // 3}", direction(3, 0.3, n), 0.1, "Wrong") for n in range(15)]
    pet.apply(job(2, *wrong, removed=["g0-0"], labels=("Nonsense",)))
    assert pet.clusters != before

    (outcome,) = pet.apply(back(3, pet, name)).outcomes

    assert outcome.status is JobStatus.APPLIED
    assert pet.clusters == before
    assert pet.view["version"] == 3
    assert names(pet) == {f"g{n % 3}-{n // 3}" for n in range(15)}


def test_images_that_were_removed_come_back_and_those_that_came_stay(pet: Pet):
    name = pet.snapshot()
    pet.apply(job(2, removed=["g0-0", "g0-1"]))
    pet.apply(job(3, insight("new", direction(0, 0.3, 77))))
    pet.apply(job(4, image_ids=["bare"]))

    pet.apply(back(5, pet, name))

    assert names(pet) == {"new", "bare"} | {f"g{group}-{n}" for group in range(3) for n in range(5)}
    assert pet.cluster_of("new") == pet.cluster_of("g0-0") == pet.cluster_of("g0-4")
    assert [each["label"] for each in pet.clusters if each["provisional"]] == ["Portraits"]


def test_corrections_of_then_hold_and_those_since_are_undone(pet: Pet):
    first, second, third = sorted(pet.members())
    pet.apply(job(2, corrections=[Rename(first, "Mine"), SetHero(second, "g1-3"), Apart([first, second])]))
    name, before = pet.snapshot(), pet.clusters
    pet.apply(job(3, corrections=[Merge([first, second]), Rename(third, "Not mine")]))
    pet.apply(job(4, corrections=[Move(["g2-0"], first), SetHero(first, "g2-0")]))

    pet.apply(back(5, pet, name))

    assert pet.clusters == before
    assert [len(word.pairs) for word in pet.album.words] == [1]
    pet.apply(job(6, *photos({0: 9, 1: 9})), job(7, force=True))
    assert pet.cluster_of("g0-8") != pet.cluster_of("g1-8")
    assert {each["id"]: each["label"] for each in pet.clusters}[first] == "Mine"


def test_what_was_hidden_then_is_hidden_again_and_what_was_hidden_since_is_shown(pet: Pet):
    first, second, _ = sorted(pet.members())
    pet.apply(job(2, corrections=[Hide(image_ids=["g0-0"])]))
    name, before = pet.snapshot(), pet.clusters
    pet.apply(job(3, insight("new", direction(1, 0.3, 60))))
    pet.apply(job(4, corrections=[Unhide(image_ids=["g0-0"]), Hide(image_ids=["g1-0", "new"]), Hide(cluster=second)]))

    pet.apply(back(5, pet, name))

    assert pet.clusters[:1] == before[:1]
    assert {*pet.album.hidden} == {"g0-0"}
    assert pet.cluster_of("g1-0") == pet.cluster_of("new") == second
    (outcome,) = pet.apply(job(6, corrections=[Undo(job(2).job_id)])).outcomes
    assert outcome.status is JobStatus.APPLIED
    assert pet.cluster_of("g0-0") == first


def test_a_correction_that_was_accepted_before_it_and_comes_late_is_stale(pet: Pet):
    first, *_ = sorted(pet.members())
    name = pet.snapshot()
    pet.apply(job(4, image_ids=["bare"]), back(5, pet, name))

    (outcome,) = pet.apply(job(3, corrections=[Rename(first, "Late")])).outcomes

    assert outcome.error.reason == "stale_correction"
    (outcome,) = pet.apply(job(6, corrections=[Rename(first, "In time")])).outcomes
    assert outcome.status is JobStatus.APPLIED


def test_a_cluster_that_came_since_keeps_its_id_and_that_of_one_that_did_not_stay_leads_on(pet: Pet):
    first, second, _ = sorted(pet.members())
    name = pet.snapshot()
    pet.apply(job(2, *photos({4: 6})))
    beach = pet.cluster_of("g4-0")
    pet.apply(job(3, corrections=[Move(["g1-0"], first)]))

    pet.apply(back(4, pet, name))

    assert pet.cluster_of("g4-0") == beach
    assert pet.cluster_of("g1-0") == second
    (outcome,) = pet.apply(job(5, corrections=[Rename(beach, "At the beach")])).outcomes
    assert outcome.status is JobStatus.APPLIED


def test_vectors_that_came_since_of_an_image_that_had_none_stay(pet: Pet):
    pet.apply(job(2, image_ids=["late"]))
    name = pet.snapshot()
    pet.apply(job(3, insight("late", direction(1, 0.3, 50))))

    pet.apply(back(4, pet, name))

    assert pet.cluster_of("late") == pet.cluster_of("g1-0")
    assert pet.album.num_provisional == 0


def test_an_encoder_that_came_since_stays_and_what_it_sent_again_is_as_it_was(pet: Pet):
    name = pet.snapshot()
    again = [insight(f"g0-{n}", direction(2, 0.3, n, 20)) for n in range(5)]
    pet.apply(job(2, *again, *[insight(f"n-{n}", direction(1, 0.3, n, 20)) for n in range(4)], model_version="m@2"))

    pet.apply(back(3, pet, name))

    assert sorted(space.model_version for space in pet.album.spaces.values()) == ["m@1", "m@2"]
    assert {pet.cluster_of(f"g0-{n}") for n in range(5)} == {cluster(pet, 0)}
    assert len({pet.cluster_of(f"n-{n}") for n in range(4)}) == 1
    assert pet.view["model_version"] == "m@1"


def test_a_kind_of_vectors_that_came_since_widens_what_was(pet: Pet):
    name = pet.snapshot()
    pet.apply(job(2, insight("wide", direction(0, 0.3, 40), pose=[1.0, 2.0])))
    pet.apply(back(3, pet, name))
    assert pet.cluster_of("wide") == pet.cluster_of("g0-0")
    assert pet.album.spaces[0].layout == (("embedding", 32), ("pose", 2))


def test_vectors_of_another_length_do_not_go_with_it():
    pet = Pet()
    pet.apply(job(1, *photos([5, 5])))
    kept = Snapshot(pet.tables(), pet.rows())
    other = Pet(snapshots={"then": kept})
    other.apply(job(1, insight("a", [1.0, 0.0, 0.0])))
    before = other.fields.copy()
    (outcome,) = other.apply(back(2, other, "then")).outcomes
    assert outcome.error.reason == "dimension"
    assert other.fields == before


def test_of_an_album_that_is_lost_all_comes_back_above_the_versions_of_before(pet: Pet):
    pet.apply(job(2, *photos({0: 7})))
    name, before = pet.snapshot(), pet.clusters
    lost = Pet(album=new_album("pet_123"), snapshots=pet.snapshots)

    lost.apply(back(9, lost, name))

    assert lost.clusters == before
    assert lost.view["version"] == 3
    assert lost.rows() == pet.rows()


def test_a_restore_that_comes_again_and_jobs_in_between_change_nothing(pet: Pet):
    name = pet.snapshot()
    between = job(2, removed=["g0-0"])
    pet.apply(between, again := back(3, pet, name))
    pet.apply(job(4, removed=["g1-0"]))
    before = pet.fields.copy()

    outcomes = [*pet.apply(again).outcomes, *pet.apply(between._replace(sequence=job(5).sequence)).outcomes]

    assert [outcome.status for outcome in outcomes] == [JobStatus.REPEATED] * 2
    assert [outcome.says_otherwise for outcome in outcomes] == [False, False]
    assert pet.fields == before


def test_a_snapshot_that_is_gone_or_cannot_be_read_is_said_to_be_so(pet: Pet):
    with pytest.raises(NeedsSnapshotError):
        pet.apply(job(2, restore=Restore(1, "unknown")))
    before = pet.fields.copy()
    for kept, reason in ((None, "snapshot_gone"), (Snapshot({b"head": b"?"}, {}), "invalid")):
        pet.snapshots["then"] = kept
        (outcome,) = pet.apply(job(2, restore=Restore(7, "then"))).outcomes
        assert outcome.error.reason == reason
        assert "version 7" in outcome.error.detail
    pet.snapshots["then"] = Snapshot(pet.tables(), {"g0-0": b"?"})
    assert pet.apply(job(2, restore=Restore(7, "then"))).outcomes[0].error.reason == "invalid"
    assert pet.fields == before


def test_bare_images_that_came_back_want_their_vectors(pet: Pet):
    pet.apply(job(2, image_ids=["bare"]))
    name = pet.snapshot()
    pet.apply(job(3, removed=["bare"]))
    applied = pet.apply(back(4, pet, name), with_wants=True)
    assert [*applied.new_wants] == ["bare"]


def test_other_settings_since_then_show(pet: Pet):
    name = pet.snapshot()
    pet.params = Params(max_cluster_size=3)
    pet.apply(job(2, image_ids=["bare"]), back(3, pet, name))
    assert {len(each["members"]) for each in pet.clusters if not each["provisional"]} == {3}
