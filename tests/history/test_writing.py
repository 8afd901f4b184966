"""Events become rows: whatever the batches, and whatever comes twice or late."""

import dataclasses
import random
import threading

import pytest
from sqlalchemy import text

from sploot_clusterd.changes import DeadJob
from sploot_clusterd.config import HistorySettings
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.schema import OF_A_PET, cluster_jobs, cluster_members, erased_pets, pet_clusters
from sploot_clusterd.history.told import Place, Told
from sploot_clusterd.history.writing import OvertakenError, move_place
from tests.history.written import NOW_MS, faces, latest, members, place, rows, tokens, write
from tests.support.told import Pet, Teller, face


def random_life(teller: Teller, pets: list[Pet], steps: int, seed: int) -> None:
    """Images that come, move and go, clusters that split, merge and are renamed."""
    drawn = random.Random(seed)
    for number in range(steps):
        pet = drawn.choice(pets)
        images = sorted({image for _, image in pet.members()} | {f"img-{number}"})
        groups: dict[int, list[str]] = {}
        for image in images:
            if drawn.random() < 0.9:
                groups.setdefault(drawn.randrange(-1, 3), []).append(image)
        loose = groups.pop(-1, [])
        labels = ["A", "Bé"]
        shown = {n: face(*drawn.sample(group, len(group)), label=labels[n % 2]) for n, group in groups.items()}
        teller.change(pet, shown, loose, jobs=[f"job-{number}"])


def written_in_batches(database: Database, events: list[Told], seed: int) -> None:
    drawn, left = random.Random(seed), list(events)
    while left:
        count = drawn.randint(1, 12)
        batch, left = left[:count], left[count:]
        write(database, batch)


def check(database: Database, pet: Pet) -> None:
    for version in pet.then:
        assert members(database, pet.pet_id, version) == pet.members(version)
        assert faces(database, pet.pet_id, version) == pet.faces(version)
    assert members(database, pet.pet_id) == pet.members()
    found = latest(database, pet.pet_id)
    assert (found.token, found.version, found.complete) == (pet.token, pet.version, True)


@pytest.mark.parametrize("seed", range(2))
def test_each_version_reads_as_its_view_was(database: Database, seed: int):
    teller, pets = Teller(), [Pet("a"), Pet("b"), Pet("c")]
    random_life(teller, pets, 30, seed)
    written_in_batches(database, teller.events, seed)
    for pet in pets:
        check(database, pet)
        assert len(tokens(database, pet.pet_id)) == pet.version
    assert {(row.job_id, row.status) for row in rows(database, cluster_jobs)} == {
        (f"job-{number}", "applied") for number in range(30)
    }
    assert place(database) == teller.events[-1].place


def test_what_comes_again_changes_nothing(database: Database):
    teller, pets = Teller(), [Pet("a"), Pet("b")]
    random_life(teller, pets, 20, 1)
    write(database, teller.events[:15])
    write(database, teller.events[5:])
    write(database, teller.events)
    for pet in pets:
        check(database, pet)
        assert len(tokens(database, pet.pet_id)) == pet.version


def test_an_image_that_comes_and_goes_within_a_batch_has_one_row(database: Database):
    teller, pet = Teller(), Pet("a")
    teller.change(pet, {0: face("x", "y")})
    teller.change(pet, {0: face("x")})
    teller.change(pet, {0: face("x", "y")})
    write(database, teller.events)
    found = sorted(
        (row.image_id, row.from_version, row.until_version) for row in rows(database, cluster_members, pet_id="a")
    )
    assert found == [("x", 1, None), ("y", 1, 2), ("y", 3, None)]


def test_another_branch_takes_the_place_of_what_redis_lost(database: Database):
    teller, pet = Teller(), Pet("a")
    teller.change(pet, {0: face("x")})
    teller.change(pet, {0: face("x", "y")})
    survived = dataclasses.replace(pet, clusters=dict(pet.clusters), then=dict(pet.then))
    teller.change(pet, {0: face("x"), 1: face("y", "lost")}, jobs=["again"])
    teller.change(pet, {1: face("lost")}, jobs=["gone"])
    write(database, teller.events)
    lost = [event.after for event in teller.events[2:]]

    teller.change(survived, {0: face("x", "z", label="Renamed")}, jobs=["again"])
    done = write(database, teller.events[-1:])
    teller.change(survived, {0: face("x", "z"), 1: face("w")})
    write(database, teller.events[-1:])

    assert done.superseded == 2
    check(database, survived)
    assert tokens(database, "a", live=False) == lost
    assert "lost" not in {image for _, image in members(database, "a")}
    jobs = {row.job_id: row.status for row in rows(database, cluster_jobs)}
    assert jobs == {"job": "applied", "again": "applied", "gone": "lost"}


def test_what_was_in_another_partition_comes_late_and_hides_nothing(database: Database):
    before, after, pet = Teller(0), Teller(1), Pet("a")
    before.change(pet, {0: face("x")})
    before.change(pet, {0: face("x", "y")})
    after.change(pet, {0: face("x", "y", "z")}, jobs=["newest"])
    write(database, before.events[:1])
    write(database, after.events, partition=1)
    write(database, before.events[1:])
    assert latest(database, "a").token == pet.token
    assert tokens(database, "a") == [each.after for each in (*before.events, *after.events)]
    assert not latest(database, "a").complete


def test_an_album_that_expired_begins_a_new_life(database: Database):
    teller, pet = Teller(), Pet("a")
    teller.change(pet, {0: face("x", "y")})
    old = pet.incarnation
    again = Pet("a")
    teller.change(again, {0: face("x")})
    write(database, teller.events[:1])
    write(database, teller.events[1:])
    assert latest(database, "a").incarnation == again.incarnation != old
    assert members(database, "a") == again.members()
    assert {row.live for row in rows(database, pet_clusters, pet_id="a")} == {True}


def test_what_no_event_told_of_is_not_taken_for_complete(database: Database):
    teller, pet = Teller(), Pet("a")
    teller.change(pet, {0: face("x")})
    teller.change(pet, {0: face("x", "y")})
    teller.change(pet, {0: face("x", "y", "z")})
    write(database, [teller.events[0], teller.events[2]])
    assert latest(database, "a").token == pet.token
    assert not latest(database, "a").complete
    write(database, [teller.change(pet, {0: face("x")})])
    assert not latest(database, "a").complete


@pytest.mark.parametrize("together", [True, False])
def test_an_erased_pet_leaves_a_tombstone_and_nothing_else(database: Database, *, together: bool):
    teller, pet, other = Teller(), Pet("secret"), Pet("other")
    teller.change(pet, {0: face("x")}, ["loose"], jobs=["j"])
    teller.change(other, {0: face("x")})
    erased = teller.erase(pet)
    batches = [teller.events] if together else [[event] for event in teller.events]
    done = [write(database, batch) for batch in batches]
    assert frozenset().union(*(each.erased for each in done)) == {"secret"}
    assert [table.name for table in OF_A_PET if rows(database, table, pet_id="secret")] == []
    assert [tuple(row) for row in rows(database, erased_pets)] == [("secret", erased.at_ms, erased.place.event_id)]
    check(database, other)


def test_a_pet_may_live_again_after_its_erasure(database: Database):
    teller, pet = Teller(), Pet("a")
    teller.change(pet, {0: face("x")})
    teller.erase(pet)
    teller.change(pet, {0: face("y")})
    write(database, teller.events)
    check(database, pet)
    write(database, teller.events[1:])  # the erasure is not done again
    check(database, pet)


def test_the_last_word_on_a_job_counts(database: Database):
    teller, pet = Teller(), Pet("a")
    teller.dead(pet, DeadJob("one", "max_attempts", "no\x00luck", 3, "1764210000123-0"))
    teller.dead(pet, DeadJob("two", "invalid", "images: expected", 0, "odd"))
    write(database, teller.events)
    found = {row.job_id: row for row in rows(database, cluster_jobs)}
    assert (found["one"].status, found["one"].attempts, found["one"].reason) == ("dead", 3, "max_attempts")
    assert found["one"].last_error == "no\ufffdluck"
    assert (found["one"].submitted_ms, found["two"].submitted_ms) == (1764210000123, None)
    write(database, [teller.change(pet, {0: face("x")}, jobs=["one"])])
    found = {row.job_id: row for row in rows(database, cluster_jobs)}
    assert (found["one"].status, found["one"].version, found["one"].last_error) == ("applied", 1, None)
    assert found["two"].status == "dead"


def test_who_writes_from_an_old_place_is_told_and_writes_nothing(database: Database):
    teller, pet = Teller(), Pet("a")
    teller.change(pet, {0: face("x")})
    write(database, teller.events)
    for old in (Place(), Place("1-1", 1)):
        with pytest.raises(OvertakenError), database.write() as connection:
            move_place(connection, 0, old, Place("9-9", 9), NOW_MS)
    assert place(database) == teller.events[-1].place


def test_of_two_that_begin_at_once_the_later_one_is_told(pg_database: Database, pg_history: HistorySettings):
    """Each finds no place, and the other one is not committed yet."""
    other, outcomes, to = Database.open(pg_history), list[BaseException | None](), Place("1-5", 1)

    def begin() -> None:
        try:
            with other.write() as connection:
                move_place(connection, 0, Place(), to, 5)
        except OvertakenError as error:
            outcomes.append(error)

    with pg_database.write() as connection:
        move_place(connection, 0, Place(), to, 5)
        thread = threading.Thread(target=begin)
        thread.start()
        waits = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT%'")
        while thread.is_alive():
            with pg_database.read() as looking:
                if looking.scalar(waits):
                    break
    thread.join()
    other.close()
    assert [str(each) for each in outcomes] == ["partition 0 is written beyond its beginning"]


def test_many_pets_and_a_large_change_fit_a_batch(database: Database):
    teller = Teller()
    pets = [Pet(f"pet-{n}") for n in range(510)]
    for pet in pets:
        teller.change(pet, {0: face(*(f"{pet.pet_id}-{n}" for n in range(5)))})
    for pet, _ in zip(pets, range(40), strict=False):
        for first in (1, 2):
            teller.change(pet, {0: face(*(f"{pet.pet_id}-{n}" for n in range(first, 5)))})
    write(database, teller.events)
    for pet in pets[::97]:
        check(database, pet)
